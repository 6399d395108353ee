package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runToEnd runs a command and returns its output, while no loop reaps yet.
func runToEnd(argv ...string) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	pid, err := forkInto(argv, int(w.Fd()))
	w.Close()
	if err != nil {
		return nil, err
	}
	out, err := readAnswer(r)
	if err != nil {
		unix.Kill(pid, unix.SIGKILL)
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	return out, exitError(status)
}

// runBeside is runToEnd for a goroutine beside the loop, which reaps.
func (d *daemon) runBeside(argv ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), helpTime)
	defer cancel()
	return d.outputOf(ctx, func(stdout int, ended func(unix.WaitStatus)) (int, error) {
		pid, err := forkInto(argv, stdout)
		if err == nil {
			d.children.ours[pid] = ended
		}
		return pid, err
	})
}

// runOwn runs one of taskmaster's programs to its end, for a client, and
// returns what it said; the client going away ends it.
func (d *daemon) runOwn(ctx context.Context, argv []string) ([]byte, error) {
	return d.outputOf(ctx, func(stdout int, ended func(unix.WaitStatus)) (int, error) {
		return d.children.start(child{
			path: d.ownProgram(argv[0]), argv: argv, env: d.env, files: [3]int{d.null, stdout, stdout},
		}, ended)
	})
}

// outputOf waits beside the loop for a command that start forks in it, and
// returns what it wrote. The end of ctx is its end, and that of the reading:
// what it has forked itself may hold the pipe.
func (d *daemon) outputOf(ctx context.Context, start func(stdout int, ended func(unix.WaitStatus)) (int, error)) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	ended := make(chan unix.WaitStatus, 1)
	pid, reaped := 0, false // both are the loop's
	d.ask(func() {
		pid, err = start(int(w.Fd()), func(status unix.WaitStatus) {
			reaped = true
			ended <- status
		})
	})
	w.Close()
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() {
		r.SetReadDeadline(time.Now())
		d.do(func() {
			if !reaped { // so the pid is still its
				unix.Kill(pid, unix.SIGKILL)
			}
		})
	})()
	var out bytes.Buffer
	out.ReadFrom(r) // what comes before an error is all there is
	return out.Bytes(), exitError(<-ended)
}

// helpTime bounds getent(1) and id(1), which may ask a network.
var helpTime = 10 * time.Second

// readAnswer reads what such a command says until it ends, and fails when it
// takes too long.
func readAnswer(r *os.File) ([]byte, error) {
	r.SetReadDeadline(time.Now().Add(helpTime))
	var out bytes.Buffer
	_, err := out.ReadFrom(r)
	return out.Bytes(), err
}

func forkInto(argv []string, stdout int) (int, error) {
	path := argv[0]
	if !strings.Contains(path, "/") {
		path = lookUp(path, []string{"PATH=" + os.Getenv("PATH") + ":/usr/bin:/bin:/usr/sbin:/sbin"})
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	return syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{null.Fd(), uintptr(stdout), null.Fd()},
	})
}

func exitError(status unix.WaitStatus) error {
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	return errors.New("exit status " + itoa(status.ExitStatus()))
}
