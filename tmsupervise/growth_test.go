package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

const growthRestarts = 100_000

// TestNoGrowth restarts a program that is not one a hundred thousand times,
// through the whole loop with its status file and events, in a process of its
// own, and looks how much memory that has taken.
func TestNoGrowth(t *testing.T) {
	if os.Getenv("TM_GROWTH") != "" {
		restartForEver(t, os.Getenv("TM_GROWTH"))
		return
	}
	t.Parallel()
	// Built anew, since the race detector has a memory of its own.
	program := t.TempDir() + "/growth"
	if out, err := exec.Command("go", "test", "-c", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, "-test.run=^TestNoGrowth$", "-test.v")
	cmd.Env = append(os.Environ(), "TM_GROWTH="+inMemory(t), "GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=64MiB")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "kB") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// inMemory is a directory on a tmpfs, as /run is, where there is one.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tmsupervise")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// An endless is a helper whose program ends as soon as it is started, a
// second later by its clock, and is said to have been reaped by tmd.
type endless struct {
	*helper
	restarts int
	begun    int // kB in use after the first tenth
	clock    time.Duration
	out      int
}

func (e *endless) now() time.Duration { return e.clock }

func (e *endless) spawn() (int, *ending) {
	e.restarts++
	e.clock += time.Second
	switch e.restarts {
	case growthRestarts / 10:
		e.begun = resident()
	case growthRestarts:
		e.done = true
	}
	e.adopted = true
	var buf [64]byte
	unix.Write(e.out, append(strconv.AppendInt(append(buf[:0], "reaped "...), int64(e.restarts), 10), " 256\n"...))
	return e.restarts, nil
}

func restartForEver(t *testing.T, dir string) {
	e := &endless{helper: newHelper(), clock: time.Hour}
	e.enterDir(statedir.Run(dir))
	e.effects = e
	e.spec = spec.Default()
	e.spec.Name, e.spec.Cmd, e.spec.Restart, e.spec.StartTime = "x:0", []string{"x"}, spec.Always, 0
	var control, events [2]int
	for _, pipe := range []*[2]int{&control, &events} {
		if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
	}
	e.control, e.helper.out.fd, e.out = control[0], events[1], control[1]
	e.step(start)
	e.loop()
	grown := resident() - e.begun
	t.Logf("%d kB more after %d restarts than after a tenth of them", grown, e.restarts)
	if e.restarts != growthRestarts || grown > 256 {
		t.Errorf("%d restarts, grown by %d kB", e.restarts, grown)
	}
}

// resident is the anonymous memory of this process in kB.
func resident() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	n, _ := strconv.Atoi(strings.Fields(rest)[0])
	return n
}
