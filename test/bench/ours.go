package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"taskmaster/lib/procfs"
	"taskmaster/lib/proto"
)

// taskmaster is the system under test.
type taskmaster struct {
	process
	bin, state, file, stamps string
	n                        int
}

func (t *taskmaster) name() string    { return ours }
func (t *taskmaster) missing() string { return "" }

func (t *taskmaster) start(s *settings, dir, stamps string, n int) error {
	t.bin, t.state, t.file, t.stamps, t.n = s.bin, filepath.Join(dir, "state"), filepath.Join(dir, "taskmaster.yaml"), stamps, n
	if err := t.write(s.stamp, ""); err != nil {
		return err
	}
	return t.run(exec.Command(filepath.Join(s.bin, "tmd"), "-c", t.file))
}

// write writes the configuration: all copies are instances of one program but
// for one, which has a log writer and changes for a reload. The tree has a
// tmmail too, so that it is all of taskmaster that is looked at when idle; it
// is told of what does not happen here.
func (t *taskmaster) write(stamp, more string) error {
	text := fmt.Sprintf("taskmaster: {listen: '127.0.0.1:0', state: %[1]s, mail: {to: [root@localhost], spool: %[1]s/spool, events: [reloadfail]}}\n", t.state)
	text += "defaults: {autorestart: always}\nprograms:\n"
	text += fmt.Sprintf("  x: {cmd: [%s, %s], numprocs: %d}\n", stamp, t.stamps, t.n-1)
	text += fmt.Sprintf("  y: {cmd: [%s, %s], stdout: {file: %s.log}%s}\n", stamp, t.stamps, t.stamps, more)
	return os.WriteFile(t.file, []byte(text), 0o644)
}

func (t *taskmaster) ctl(words ...string) *exec.Cmd {
	return exec.Command(filepath.Join(t.bin, "tmctl"), append([]string{"-d", t.state}, words...)...)
}

func (t *taskmaster) status() error { return t.ctl("status", "-p").Run() }
func (t *taskmaster) stop() error   { return t.end(syscall.SIGTERM) }

// extra measures what only a daemon with a connection and a reload has.
func (t *taskmaster) extra(r *run) []result {
	var all []result
	add := func(figure, unit string, value float64) {
		all = append(all, result{Figure: figure, Unit: unit, Rounds: []float64{value}})
	}
	time.Sleep(3 * time.Second) // all that was restarted becomes RUNNING a second later, with an event each
	if ms, err := t.overConnection(); err == nil {
		add("status of all over an open connection", "ms", ms)
	}
	if ms, err := t.reload(r); err == nil {
		add("reload with one program changed, in effect", "ms", ms)
	}
	helpers, total := 0, 0
	for _, pid := range procfs.Descendants(t.root()) {
		if strings.HasSuffix(procfs.Executable(pid), "/tmsupervise") {
			helpers++
			total += pss(pid)
		}
	}
	add("memory of a helper", "kB PSS", float64(total)/float64(max(1, helpers)))
	add("memory of tmd itself", "MB PSS", float64(pss(t.root()))/1024)
	names, _ := procfs.Names(fmt.Sprintf("/proc/%d/fd", t.root()))
	add("descriptors of tmd per instance", "1", float64(len(names))/float64(t.n))
	return all
}

func (t *taskmaster) overConnection() (float64, error) {
	address, err := os.ReadFile(filepath.Join(t.state, "address"))
	if err != nil {
		return 0, err
	}
	secret, err := proto.ReadSecret(filepath.Join(t.state, "secret"))
	if err != nil {
		return 0, err
	}
	c, err := proto.Dial(context.Background(), strings.TrimSpace(string(address)), secret, 5*time.Second, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var times []float64
	for range 11 {
		began := now()
		if _, err := c.Do(context.Background(), func(proto.Reply) {}, "status"); err != nil {
			return 0, err
		}
		times = append(times, seconds(now()-began)*1000)
	}
	return median(times), nil
}

// reload changes the environment of one program: the change is in effect when
// its new process runs.
func (t *taskmaster) reload(r *run) (float64, error) {
	var times []float64
	for i := range 3 {
		if err := t.write(r.stamp, fmt.Sprintf(", env: {ROUND: '%d'}", i)); err != nil {
			return 0, err
		}
		had := r.stamps.count()
		began := now()
		if err := syscall.Kill(t.root(), syscall.SIGHUP); err != nil {
			return 0, err
		}
		if err := r.stamps.wait(had + 1); err != nil {
			return 0, err
		}
		times = append(times, seconds(r.stamps.last()-began)*1000)
		time.Sleep(1500 * time.Millisecond)
	}
	return median(times), nil
}

// benchGrowth shows how ours grows with the number of instances.
func benchGrowth(s *settings) []result {
	var all []result
	for _, n := range []int{100, 500, 1000, 2000, 4000} {
		all = append(all, s.turns(fmt.Sprintf("growth, N = %d", n), []system{&taskmaster{}}, n, 1)...)
	}
	return all
}
