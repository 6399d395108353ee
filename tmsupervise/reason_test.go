package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// Every way in which a program cannot be executed is told with the path in
// question and the cause, on the straight way and, where the stage takes the
// step, through it.
func TestReasons(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	write := func(name, text string, mode os.FileMode) string {
		if err := os.WriteFile(dir+"/"+name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return dir + "/" + name
	}
	plain := write("plain", "#!/bin/sh\n", 0o644)
	noLine := write("noline", "what is this\n", 0o755)
	empty := write("empty", "", 0o755)
	foreign := write("foreign", "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 57), 0o755)
	badInterp := write("badinterp", "#!/no/such/interp -x\n", 0o755)
	dirInterp := write("dirinterp", "#! /tmp\n", 0o755)
	carriage := write("carriage", "#!/bin/sh\r\nexit\r\n", 0o755)
	fifo := dir + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	unsafe := dir + "/unsafe"
	os.Mkdir(unsafe, 0o777)
	os.Chmod(unsafe, 0o777)
	os.Symlink("/dev/null", unsafe+"/link")
	for _, c := range []struct {
		name  string
		shape func(*spec.Spec)
		want  string
	}{
		{"no such file", cmd("/no/such/web"), "cannot execute /no/such/web: no such file"},
		{"not in PATH", cmd("no-such-web"), "cannot execute no-such-web: no such file in PATH " + os.Getenv("PATH")},
		{"directory", cmd("/tmp"), "cannot execute /tmp: is a directory"},
		{"device", cmd("/dev/null"), "cannot execute /dev/null: not a regular file"},
		{"not executable", cmd(plain), "cannot execute " + plain + ": not executable"},
		{"no #! line", cmd(noLine), "cannot execute " + noLine + ": not a program (no #! line)"},
		{"empty", cmd(empty), "cannot execute " + empty + ": the file is empty"},
		{"another machine", cmd(foreign), "cannot execute " + foreign + ": a program for another kind of machine, or a damaged one"},
		{"bad interpreter", cmd(badInterp), "cannot execute " + badInterp + ": bad interpreter /no/such/interp: no such file"},
		{"directory as interpreter", cmd(dirInterp), "cannot execute " + dirInterp + ": bad interpreter /tmp: is a directory"},
		{"CR LF", cmd(carriage), "cannot execute " + carriage + ": bad interpreter /bin/sh: its line ends in CR LF"},
		{"no directory", func(s *spec.Spec) { s.Dir = "/no/such/dir" }, "cannot change to directory /no/such/dir: no such file"},
		{"file as directory", func(s *spec.Spec) { s.Dir = plain }, "cannot change to directory " + plain + ": not a directory"},
		{"no directory of the log", func(s *spec.Spec) { s.Stdout = spec.Output{Kind: spec.File, Path: "/no/such/log"} },
			"cannot open log /no/such/log: no such file"},
		{"directory as log", func(s *spec.Spec) { s.Stderr = spec.Output{Kind: spec.File, Path: dir} },
			"cannot open log " + dir + ": is a directory"},
		{"FIFO that nobody reads", func(s *spec.Spec) { s.Stdout = spec.Output{Kind: spec.File, Path: fifo} },
			"cannot open log " + fifo + ": nobody reads this FIFO"},
		{"planted link", func(s *spec.Spec) { s.Stdout = spec.Output{Kind: spec.File, Path: unsafe + "/link"} },
			"cannot open log " + unsafe + "/link: a symbolic link in a directory that others may write to"},
	} {
		for _, staged := range []bool{false, true} {
			name := c.name
			if staged {
				name += ", staged"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, "/bin/true")
				c.shape(r.spec)
				r.spec.NoNewPrivs = staged
				r.failsWith(c.want)
			})
		}
	}
}

// The FIFO of a tmlog is not the program's to blame for: tmd makes it, or will
// when there is room for it.
func TestMissingFIFO(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	fifo := r.file("gone")
	r.spec.Stdout = spec.Output{Kind: spec.Log, Path: fifo}
	r.spec.StartRetries, r.spec.BackoffFirst, r.spec.BackoffMax = 0, 10*time.Millisecond, 10*time.Millisecond
	r.begin()
	r.tell("start")
	for range 3 {
		if got := r.expect(event.Backoff).Get("reason"); got != "cannot open log "+fifo+": no such file" {
			t.Errorf("reason %s", got)
		}
	}
	if err := statedir.MakeFIFO(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.expect(event.Starting)
}

func cmd(words ...string) func(*spec.Spec) { return func(s *spec.Spec) { s.Cmd = words } }

// failsWith starts the program under `never`, where each failure is FATAL.
func (r *rig) failsWith(want string) {
	r.t.Helper()
	r.spec.Restart = spec.Never
	r.begin()
	r.tell("start")
	if got := r.expect(event.Fatal).Get("reason"); got != want {
		r.t.Errorf("reason\n%s, want\n%s", got, want)
	}
	if s := r.status(); s.State != "FATAL" || s.Detail != want {
		r.t.Errorf("status %s %q", s.State, s.Detail)
	}
}

// What a system may lack for now is told from what is the program's fault.
func TestShortage(t *testing.T) {
	t.Parallel()
	for errno, want := range map[unix.Errno]bool{
		unix.EAGAIN: true, unix.ENOMEM: true, unix.EMFILE: true, unix.ENFILE: true, unix.ETXTBSY: true, unix.ENOSPC: true,
		unix.EDQUOT: true, unix.ENOENT: false, unix.EACCES: false, unix.EPERM: false, unix.ENOEXEC: false, unix.EISDIR: false,
		unix.ELOOP: false, unix.E2BIG: false,
	} {
		if got := failure("start it", errno).shortage; got != want {
			t.Errorf("%v is a shortage: %v", errno, got)
		}
	}
}

// Each step of the exec stage that fails is named.
func TestStageSteps(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Fatal("only root can give up its ids; CI runs as root")
	}
	big := 1 << 30
	for _, c := range []struct {
		name  string
		shape func(*spec.Spec)
		want  string
	}{
		{"limit", func(s *spec.Spec) { s.Limits = []spec.Limit{{Name: "nofile", Value: 1 << 40}} },
			"cannot set limit nofile: operation not permitted"},
		{"limit unknown", func(s *spec.Spec) { s.Limits = []spec.Limit{{Name: "patience", Value: 1}} },
			"cannot set limit patience: invalid argument"},
		{"oom_score_adj", func(s *spec.Spec) { s.OOMScoreAdj = &big }, "cannot set oom_score_adj 1073741824: invalid argument"},
		{"groups", func(s *spec.Spec) { s.User = &spec.User{UID: 65534, GID: 65534, Groups: make([]int, 1<<16+1)} },
			"cannot set groups: invalid argument"},
		{"no user at all", func(s *spec.Spec) { s.User = &spec.User{UID: 1<<32 - 2, GID: 1<<32 - 2}; s.Dir = "/root" },
			"cannot change to directory /root: permission denied"},
		{"directory closed to the user", func(s *spec.Spec) {
			s.User = &spec.User{UID: 65534, GID: 65534}
			s.Dir = "/root"
		}, "cannot change to directory /root: permission denied"},
		{"program closed to the user", func(s *spec.Spec) {
			s.User = &spec.User{UID: 65534, GID: 65534}
			s.Cmd = []string{"/usr/bin/closed"}
		}, "cannot execute /usr/bin/closed: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "/bin/true")
			c.shape(r.spec)
			r.failsWith(c.want)
		})
	}
}

// Under the default policy what cannot be executed is retried, then FATAL, and
// never a starting event without a process.
func TestFailedStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/no/such/web")
	r.spec.StartRetries, r.spec.BackoffFirst = 2, time.Millisecond
	r.begin()
	r.tell("start cause=boot")
	e := r.expect(event.Fatal)
	if e.Get("try") != "3" {
		t.Errorf("try=%s, want 3", e.Get("try"))
	}
	r.mutex.Lock()
	var kinds []string
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	r.mutex.Unlock()
	if got := strings.Join(kinds, " "); got != "backoff backoff fatal" {
		t.Errorf("events: %s", got)
	}
	if s := r.status(); s.Detail != "cannot execute /no/such/web: no such file, gave up after 3 starts" {
		t.Errorf("detail %q", s.Detail)
	}
}
