package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// family is a program with a child of each awkward kind: one in a session of
// its own, one whose parent is gone, one that is stopped, one that ignores
// the stop signal, and a plain one.
const family = `
	setsid sleep 1001 &
	(setsid sleep 1002 &)
	sh -c 'kill -STOP $$; sleep 1003' &
	sh -c 'trap "" TERM; sleep 1004; :' &
	sleep 1005 &
	wait`

// familyIsThere waits for it and returns its pids.
func (r *rig) familyIsThere() []int {
	r.t.Helper()
	var kin []int
	eventually(r.t, "the family", func() bool {
		kin = r.kin()
		stopped, sleeping, leaders := 0, 0, 0
		for _, pid := range kin {
			s, err := procfs.ReadStat(pid)
			if err != nil {
				return false
			}
			stopped += count(s.State == 'T')
			sleeping += count(strings.HasSuffix(procfs.Executable(pid), "/sleep"))
			leaders += count(s.Session == pid)
		}
		return len(kin) == 7 && stopped == 1 && sleeping == 4 && leaders == 3
	})
	return kin
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

func TestStopTree(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", family)
	r.spec.StartTime, r.spec.StopTime = 0, 700*time.Millisecond
	r.begin()
	r.tell("start")
	r.familyIsThere()
	r.tell("stop")
	r.expect(event.Killed)
	if e := r.expect(event.Stopped); e.Get("signal") != "TERM" {
		t.Error(e.String())
	}
	if left := r.kin(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// The same when the program ends by itself: the restart comes only after the
// rest is gone.
func TestRestartAfterTree(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", family)
	r.spec.StartTime, r.spec.StopTime = 0, 300*time.Millisecond
	r.begin()
	r.tell("start")
	pid := r.expect(event.Running).Int("pid")
	before := r.familyIsThere()
	unix.Kill(pid, unix.SIGKILL)
	if e := r.expect(event.Stopping); e.Get("left") != "6" || e.Int("pid") != pid {
		t.Error(e.String())
	}
	if e := r.expect(event.Exited); e.Get("signal") != "KILL" || e.Get("left") != "6" || e.Get("oom") != "" {
		t.Error(e.String())
	}
	r.expect(event.Starting)
	for _, old := range before {
		if alive(old) {
			t.Errorf("pid %d outlived the restart", old)
		}
	}
}

// Under group and process the others are not touched.
func TestStopLess(t *testing.T) {
	t.Parallel()
	for stopGroup, want := range map[string]int{spec.Group: 2, spec.Process: 6} {
		t.Run(stopGroup, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "/bin/sh", "-c", family)
			r.spec.StartTime, r.spec.StopTime, r.spec.StopGroup = 0, 300*time.Millisecond, stopGroup
			r.begin()
			r.tell("start")
			r.familyIsThere()
			r.tell("stop")
			r.expect(event.Stopped)
			if left := r.kin(); len(left) != want {
				t.Errorf("%d are left, want %d", len(left), want)
			}
		})
	}
}

// What forks while it is being killed is killed.
func TestStopForker(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/bash", "-c", `trap "" TERM; f() { while :; do (sleep 1000 &) ; sleep 0.01; done; }; f & f & f & wait`)
	r.spec.StartTime, r.spec.StopTime = 0, 300*time.Millisecond
	r.begin()
	r.tell("start")
	eventually(t, "some forks", func() bool { return len(r.kin()) > 20 })
	r.tell("stop")
	r.comesTo("STOPPED")
	if left := r.kin(); len(left) != 0 {
		t.Errorf("%d are left", len(left))
	}
}

// A stopped program is let go on, so that it hears the stop signal.
func TestStopStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t, tamePath, "hold", t.TempDir()+"/lock")
	r.begin()
	r.tell("start")
	pid := r.expect(event.Running).Int("pid")
	r.tell("signal STOP")
	eventually(t, "it is stopped", func() bool { return stateOf(pid) == 'T' })
	shows := func(detail string) func() bool {
		return func() bool { s := r.status(); return s.State == statedir.Running && s.PID == pid && s.Detail == detail }
	}
	eventually(t, "the status shows it", shows("suspended by SIGSTOP"))
	r.tell("signal CONT")
	eventually(t, "the status shows that it goes on", shows(""))
	r.tell("signal STOP")
	eventually(t, "the status shows it again", shows("suspended by SIGSTOP"))
	r.tell("stop")
	if e := r.expect(event.Stopped); e.Get("code") != "0" {
		t.Error(e.String())
	}
}

// Who is not its parent is not told how long that lasts, and does not say so.
func TestAdoptStopped(t *testing.T) {
	t.Parallel()
	r := newRig(t, "sleep", "1000").begin()
	r.tell("start")
	pid := r.expect(event.Running).Int("pid")
	unix.Kill(pid, unix.SIGSTOP)
	eventually(t, "the status shows it", func() bool { return r.status().Detail == "suspended by SIGSTOP" })
	r.kill()
	r.beginAgain()
	eventually(t, "the next helper does not", func() bool { s := r.status(); return s.PID == pid && s.Detail == "" })
	r.tell("stop")
	r.expect(event.Stopped)
}

// So is what a program leaves stopped, though nobody waits for it by then.
func TestStopStoppedRest(t *testing.T) {
	t.Parallel()
	heard := t.TempDir() + "/heard"
	r := newRig(t, "/bin/sh", "-c", `sh -c 'trap "echo 1 >`+heard+`; exit" TERM; kill -STOP $$; sleep 1001' & exec sleep 1002`)
	r.begin()
	r.tell("start")
	eventually(t, "the child is stopped", func() bool {
		return slices.ContainsFunc(r.kin(), func(pid int) bool { return stateOf(pid) == 'T' })
	})
	r.tell("stop")
	r.expect(event.Stopped)
	if _, err := os.Stat(heard); err != nil {
		t.Error("the child was ended before it heard the stop signal")
	}
}

// A helper with one descriptor left can look at what its program left, but not
// hold it by a pidfd meanwhile: it goes by the number then.
func TestStopRestWithoutDescriptors(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", `setsid sleep 1001 & (setsid sleep 1002 &) ; exec sleep 1003`)
	r.spec.StartTime = 0
	r.begin()
	r.tell("start")
	r.expect(event.Running)
	eventually(t, "the family", func() bool {
		kin := r.kin()
		return len(kin) == 3 && !slices.ContainsFunc(kin, func(pid int) bool {
			return !strings.HasSuffix(procfs.Executable(pid), "/sleep")
		})
	})
	r.leaveDescriptors(1)
	r.tell("stop")
	if e := r.expect(event.Stopped); e.Get("signal") != "TERM" {
		t.Error(e.String())
	}
}

// leaveDescriptors takes from the helper all descriptors but so many.
func (r *rig) leaveDescriptors(free int) {
	r.t.Helper()
	fds, few := fmt.Sprintf("/proc/%d/fd/", r.helper.Process.Pid), unix.Rlimit{}
	for ; free >= 0; few.Cur++ {
		if _, err := os.Lstat(fds + strconv.FormatUint(few.Cur, 10)); err != nil {
			free--
		}
	}
	few.Cur--
	few.Max = few.Cur
	if err := unix.Prlimit(r.helper.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		r.t.Fatal(err)
	}
}

// A thousand processes whose parents are gone become children of the helper,
// which waits for each.
func TestNoZombies(t *testing.T) {
	t.Parallel()
	done := t.TempDir() + "/done"
	r := newRig(t, "/bin/sh", "-c", `i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; echo 1 >`+done+`; exec sleep 1000`)
	r.spec.StartTime = 0
	r.begin()
	r.tell("start")
	pid := r.expect(event.Running).Int("pid")
	readNumber(t, done)
	eventually(t, "no child but the program", func() bool {
		children := procfs.Descendants(r.helper.Process.Pid)
		return len(children) == 1 && children[0] == pid
	})
}

// Debian's nginx puts itself in the background. Followed, its master is the
// program; otherwise what it leaves is ended, and the detail says what to do.
func TestBackground(t *testing.T) {
	t.Parallel()
	daemonizing := func(t *testing.T) (*rig, string) {
		words, socket := nginxCommand(t)
		conf, err := os.ReadFile(words[2])
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(conf), "daemon off; ", "", 1)
		if err := os.WriteFile(words[2], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return newRig(t, words...), socket
	}
	t.Run("follow", func(t *testing.T) {
		t.Parallel()
		r, socket := daemonizing(t)
		r.spec.Background, r.spec.Restart = spec.Follow, spec.Always
		r.begin()
		r.tell("start")
		first := r.expect(event.Starting).Int("pid")
		e := r.expect(event.Adopted)
		master := e.Int("pid")
		if e.Get("cause") != "background" || master == first {
			t.Error(e.String())
		}
		if got := r.expect(event.Running).Int("pid"); got != master {
			t.Errorf("running %d, want %d", got, master)
		}
		eventually(t, "an answer", func() bool { return answers(socket) })
		r.kill() // and its next helper knows the master as well
		r.beginAgain()
		if got := r.expect(event.Adopted).Int("pid"); got != master {
			t.Errorf("adopted %d, want %d", got, master)
		}
		unix.Kill(master, unix.SIGINT) // nginx's quick end, which unlinks its socket
		unix.Wait4(master, nil, 0, nil)
		if e := r.expect(event.Exited); e.Get("code") != "0" {
			t.Error(e.String())
		}
		r.expect(event.Running)
		eventually(t, "an answer again", func() bool { return answers(socket) })
		r.tell("stop")
		r.comesTo("STOPPED")
		if answers(socket) {
			t.Error("something still answers")
		}
	})
	t.Run("kill", func(t *testing.T) {
		t.Parallel()
		r, socket := daemonizing(t)
		r.begin()
		r.tell("start")
		if e := r.expect(event.Exited); e.Get("code") != "0" || e.Int("left") == 0 {
			t.Error(e.String())
		}
		detail := r.comesTo("EXITED").Detail
		if !strings.HasPrefix(detail, "exited 0 and left ") ||
			!strings.HasSuffix(detail, ": killed; run it in the foreground or set background: follow") {
			t.Errorf("detail %q", detail)
		}
		if answers(socket) || len(r.kin()) != 0 {
			t.Error("something is left")
		}
	})
}

// An end by the kernel's hand for want of memory is told from another SIGKILL
// by what it adds to the count of such ends.
func TestNoFalseOOM(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	r.spec.StartTime, r.spec.Restart = 0, spec.Never
	r.begin()
	r.tell("start")
	unix.Kill(r.expect(event.Running).Int("pid"), unix.SIGKILL)
	if e := r.expect(event.Exited); e.Get("signal") != "KILL" || e.Get("oom") != "" {
		t.Error(e.String())
	}
}
