package main

import (
	"bytes"
	"context"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// runOwn runs one of taskmaster's programs to its end, for a client, and
// returns what it said; the client going away ends it.
func (d *daemon) runOwn(ctx context.Context, argv []string) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	ended := make(chan unix.WaitStatus, 1)
	pid := 0
	d.ask(func() {
		pid, err = d.children.start(child{
			path: d.ownProgram(argv[0]), argv: argv, env: d.env, files: [3]int{d.null, int(w.Fd()), int(w.Fd())},
		}, func(status unix.WaitStatus) { ended <- status })
	})
	w.Close()
	if err != nil {
		return nil, err
	}
	go func() {
		<-ctx.Done()
		d.do(func() {
			if d.children.ours[pid] != nil { // not waited for: the pid is still its
				unix.Kill(pid, unix.SIGKILL)
			}
		})
	}()
	var out bytes.Buffer
	out.ReadFrom(r)
	return out.Bytes(), exitError(<-ended)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
