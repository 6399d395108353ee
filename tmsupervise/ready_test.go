package main

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"
)

// A newline on the descriptor, as s6 has it, makes a program ready, and not
// its starttime; the readiness outlives the helper.
func TestNotifyFD(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		r := newRig(t)
		gate := r.file("gate")
		r.spec.Cmd = []string{"/bin/sh", "-c", `until [ -e ` + gate + ` ]; do sleep 0.01; done; echo almost >&5; sleep 1000`}
		r.spec.StartTime = 0
		r.spec.Ready = spec.Ready{Kind: spec.Notify, FD: 5}
		r.spec.NoNewPrivs = staged
		r.begin()
		r.tell("start")
		pid := r.expect(event.Starting).Int("pid")
		r.kill()
		touch(t, gate) // said while no helper lives
		eventually(t, "it has said so", func() bool { return len(r.kin()) == 2 })
		r.beginAgain()
		if got := r.expect(event.Running).Int("pid"); got != pid {
			t.Errorf("running %d, want %d", got, pid)
		}
		if s := r.status(); !s.Ready {
			t.Error("the status does not say ready")
		}
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Not ready in time, which tmd tells of what it probes, is a failed start.
func TestNotReady(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	r.spec.Ready = spec.Ready{Kind: spec.Probed, Timeout: 200 * time.Millisecond}
	r.spec.StartRetries = 0
	r.begin()
	r.tell("start")
	pid := r.expect(event.Starting).Int("pid")
	r.tell(fmt.Sprintf("late %d another's", pid+1))
	r.tell(fmt.Sprintf("pending %d no%%20route", pid))
	eventually(t, "why it is not ready", func() bool { return r.status().Detail == "no route" })
	r.tell(fmt.Sprintf("late %d connection%%20refused", pid))
	want := "not ready within 0.2 s: connection refused"
	if e := r.expect(event.Exited); e.Get("reason") != want || e.Get("signal") != "TERM" {
		t.Error(e.String())
	}
	if e := r.expect(event.Fatal); e.Get("reason") != want {
		t.Error(e.String())
	}
}

// tmd's probes say ready over the control FIFO; a reload that takes the
// condition away does too.
func TestProbed(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	r.spec.StartTime = 0
	r.spec.Ready = spec.Ready{Kind: spec.Probed, Timeout: time.Hour}
	r.begin()
	r.tell("start")
	pid := r.expect(event.Starting).Int("pid")
	r.tell(fmt.Sprintf("ready %d", pid))
	r.expect(event.Running)
	r.tell("restart")
	r.expect(event.Starting)
	r.spec.Ready = spec.Ready{}
	r.begun(r.spec)
	pid = r.expect(event.Running).Int("pid")
	r.tell(fmt.Sprintf("sick %d unhealthy:%%203%%20checks%%20failed", pid))
	if e := r.expect(event.Exited); e.Get("reason") != "unhealthy: 3 checks failed" || e.Get("cause") != "check" {
		t.Error(e.String())
	}
	if e := r.expect(event.Starting); e.Get("cause") != "check" {
		t.Error(e.String())
	}
}

// begun has a living helper take a new spec.
func (r *rig) begun(s *spec.Spec) {
	r.t.Helper()
	if err := statedir.Replace(r.run.Spec(), s.Text()); err != nil {
		r.t.Fatal(err)
	}
	r.tell("reload")
}

// systemd's way: READY=1, STATUS= in the detail, WATCHDOG=1; the socket is
// bound again by the next helper.
func TestSdNotify(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	gate, second := r.file("gate"), r.file("second")
	r.spec.Cmd = []string{tamePath, "notify", "STATUS=loading", "wait", gate, "READY=1\nSTATUS=serving 3", "wait", second, "STATUS=4"}
	r.spec.Ready = spec.Ready{Kind: spec.SdNotify}
	r.begin()
	r.tell("start")
	pid := r.expect(event.Starting).Int("pid")
	eventually(t, "its status", func() bool { return r.status().Detail == "loading" })
	r.kill()
	r.beginAgain()
	r.expect(event.Adopted)
	touch(t, gate)
	if got := r.expect(event.Running).Int("pid"); got != pid {
		t.Errorf("running %d, want %d", got, pid)
	}
	eventually(t, "its status", func() bool { return r.status().Detail == "serving 3" })
	r.kill()
	r.beginAgain()
	r.expect(event.Adopted)
	touch(t, second)
	eventually(t, "its status after READY", func() bool { return r.status().Detail == "4" })
}

// A descriptor beyond the limit that the helper was given is named as what is
// wrong, with an exec stage and without.
func TestNotifyBeyondLimit(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		r := newRig(t, "/bin/true")
		r.path = script(t, "#!/bin/sh\nulimit -n 50\nexec "+helperPath+` "$@"`)
		r.spec.Ready = spec.Ready{Kind: spec.Notify, FD: 100}
		r.spec.NoNewPrivs = staged
		r.failsWith("cannot open descriptor 100 for ready: beyond the limit nofile")
	}
}

// What gave up its rights before it says that it is ready is believed: the
// program itself, and what hangs below it.
func TestReadyAsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Fatal("only root can give up its ids; CI runs as root")
	}
	for _, cmd := range [][]string{
		{tamePath, "notify", "become", "65534", "READY=1"},
		{"/bin/sh", "-c", tamePath + " notify become 65534 READY=1 & sleep 1000"},
		{"/bin/sh", "-c", "(setsid " + tamePath + " notify become 65534 READY=1 &); sleep 1000"},
	} {
		r := newRig(t, cmd...)
		r.spec.Ready = spec.Ready{Kind: spec.SdNotify}
		r.begin()
		r.tell("start")
		r.expect(event.Running)
	}
}

// After a reload the program's word counts only where it is still asked for.
func TestWordNoLongerAsked(t *testing.T) {
	t.Parallel()
	for kind, say := range map[string]func(*rig) error{
		spec.SdNotify: func(r *rig) error {
			conn, err := net.Dial("unixgram", "@"+r.status().Notify)
			if err == nil {
				defer conn.Close()
				_, err = conn.Write([]byte("READY=1"))
			}
			return err
		},
		spec.Notify: func(r *rig) error { return os.WriteFile(string(r.run)+"/ready", []byte("\n"), 0) },
	} {
		r := newRig(t, "/bin/sleep", "1000")
		r.spec.Ready = spec.Ready{Kind: kind, FD: 3}
		r.begin()
		r.tell("start")
		pid := r.expect(event.Starting).Int("pid")
		heard := func(word string) {
			r.tell(fmt.Sprintf("pending %d %s", pid, word))
			eventually(t, word, func() bool { return r.status().Detail == word })
		}
		r.spec.Ready = spec.Ready{Kind: spec.Probed, Timeout: time.Hour}
		r.begun(r.spec)
		heard("reload")
		if err := say(r); err != nil {
			t.Fatal(err)
		}
		heard("said")
		if s := r.status(); s.State != "STARTING" {
			t.Errorf("by %s it is %s", kind, s.State)
		}
		r.tell(fmt.Sprintf("ready %d", pid))
		r.expect(event.Running)
	}
}

// A program that gives itself up is ended as by its watchdog, without one too.
func TestWatchdogTriggered(t *testing.T) {
	t.Parallel()
	r := newRig(t, tamePath, "notify", "READY=1", "WATCHDOG=trigger")
	r.spec.Ready = spec.Ready{Kind: spec.SdNotify}
	r.begin()
	r.tell("start")
	r.expect(event.Running)
	want := "watchdog: the program gave itself up"
	if e := r.expect(event.Stopping); e.Get("signal") != "ABRT" || e.Get("reason") != want {
		t.Error(e.String())
	}
}

// A program that is silent for longer than its watchdog allows is ended by
// SIGABRT, as an unexpected exit.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	r := newRig(t, tamePath, "notify", "READY=1", "WATCHDOG=1")
	r.spec.Ready, r.spec.Watchdog = spec.Ready{Kind: spec.SdNotify}, 300*time.Millisecond
	r.begin()
	r.tell("start")
	r.expect(event.Running)
	want := "watchdog: silent for 0.3 s"
	if e := r.expect(event.Stopping); e.Get("signal") != "ABRT" || e.Get("reason") != want {
		t.Error(e.String())
	}
	if e := r.expect(event.Exited); e.Get("reason") != want || e.Get("expected") != "no" {
		t.Error(e.String())
	}
	r.expect(event.Running)
}

// A reload changes the policy of what runs in place.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", `trap "" TERM; sleep 1000; :`)
	r.spec.StartTime = time.Hour
	r.begin()
	r.tell("start")
	pid := r.expect(event.Starting).Int("pid")
	r.spec.StartTime = 0
	r.begun(r.spec)
	if got := r.expect(event.Running).Int("pid"); got != pid {
		t.Errorf("running %d, want %d", got, pid)
	}
	if err := os.WriteFile(r.run.Spec(), []byte("version 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.tell("reload") // a broken one changes nothing
	want := "tmsupervise x:0: warning: unable to reload " + r.run.Spec() + ": line 1: version 9, this program reads version 1\n"
	eventually(t, want, func() bool { return r.said() == want })
	r.spec.StopTime = 100 * time.Millisecond
	eventually(t, "its child", func() bool { return len(r.kin()) == 2 })
	r.begun(r.spec)
	r.tell("stop")
	r.expect(event.Killed)
	if e := r.expect(event.Stopped); e.Int("pid") != pid {
		t.Error(e.String())
	}
}
