package faults

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"
	"taskmaster/test/faults/record"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// Most of the time a test waits for something.
	flag.Set("test.parallel", "8")
	os.Exit(tmtest.Main(m, "./test/faults/temper"))
}

// A rig is a host whose programs keep an account of themselves.
type rig struct {
	*tmtest.Host
	t    *testing.T
	home string // where the account is
}

// newRig makes a host. In its configuration TEMPER is the program with its
// account, and HERE the host's directory. Whatever a test is about, at its end
// no program may ever have run twice at a time.
func newRig(t *testing.T, config string) *rig {
	t.Helper()
	t.Parallel()
	r := &rig{Host: tmtest.NewHost(t, ""), t: t}
	r.home = filepath.Join(r.Dir, "home")
	if err := os.Mkdir(r.home, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(r.home, 0o777) // programs of other users keep theirs too
	r.write(config)
	t.Cleanup(func() {
		if twice := record.Overlaps(r.home); len(twice) > 0 {
			t.Errorf("second copies: %v", twice)
		}
	})
	return r
}

// write replaces the configuration.
func (r *rig) write(config string) {
	r.t.Helper()
	r.Write(strings.NewReplacer("TEMPER", tmtest.Bin("temper")+" -home "+r.home, "HERE", r.Dir).Replace(config))
}

// A running is which process an instance's program is.
type running struct {
	pid   int
	start uint64
}

func (r *rig) running(name string) running {
	r.t.Helper()
	s := r.Status(name)
	if s.PID == 0 {
		r.t.Fatalf("%s does not run: %s", name, s.Line())
	}
	return running{s.PID, s.Start}
}

func (p running) alive() bool { return procfs.Alive(p.pid, p.start) }

// same fails the test unless an instance's program is still that process.
func (r *rig) same(name string, was running) {
	r.t.Helper()
	if now := r.running(name); now != was || !was.alive() {
		r.t.Fatalf("%s was %v and is %v (alive: %v)", name, was, now, was.alive())
	}
}

// killHelper kills the tmsupervise of an instance and waits until the next one
// has taken over.
func (r *rig) killHelper(name string) {
	r.t.Helper()
	old := r.helper(name)
	kill(r.t, old)
	r.until(func() bool { now := r.Helper(name); return now != 0 && now != old }, "%s has a new helper", name)
}

func (r *rig) helper(name string) int {
	r.t.Helper()
	pid := 0
	r.until(func() bool { pid = r.Helper(name); return pid != 0 }, "%s has a helper", name)
	return pid
}

func (r *rig) until(reached func() bool, what string, args ...any) {
	r.t.Helper()
	tmtest.Until(r.t, reached, what, args...)
}

// lives are how often an instance was started.
func (r *rig) lives(name string) int { return len(record.Lives(r.home, name)) }

func kill(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatalf("kill %d: %v", pid, err)
		}
	}
}

func signal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := unix.Kill(pid, sig); err != nil {
		t.Fatalf("signal %d: %v", pid, err)
	}
}

// whole fails the test unless every line that the instance wrote is in the
// files, once.
func (r *rig) whole(name string, files ...string) {
	r.t.Helper()
	book := record.Book{}
	if err := book.Read(files...); err != nil {
		r.t.Fatal(err)
	}
	if len(book) == 0 {
		r.t.Fatalf("%s: no lines in %v", name, files)
	}
	for _, wrong := range book.Check(r.home, name, false, nil) {
		r.t.Error(wrong)
	}
}

// said is how many lines the present life of an instance has written.
func (r *rig) said(name string) int {
	lives := record.Lives(r.home, name)
	if len(lives) == 0 {
		return 0
	}
	return record.Said(r.home, name, lives[len(lives)-1])
}

// moreLines waits until the instance has written some more.
func (r *rig) moreLines(name string) {
	r.t.Helper()
	was := r.said(name)
	r.until(func() bool { return r.said(name) >= was+5 }, "%s goes on writing", name)
}

// stateFiles are the paths below the state directory, without it.
func (r *rig) stateFiles() []string {
	var found []string
	filepath.WalkDir(r.State, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != r.State {
			found = append(found, strings.TrimPrefix(path, r.State+"/"))
		}
		return nil
	})
	return found
}

// dir is the state directory.
func (r *rig) dir() statedir.Dir { return statedir.Dir(r.State) }

// launch starts tmd and waits for nothing.
func (r *rig) launch() *tmtest.Tmd {
	r.t.Helper()
	return r.Launch(exec.Command(tmtest.Bin("tmd"), "-c", r.Config, "-d", r.State))
}

func itoa(n int) string { return strconv.Itoa(n) }
