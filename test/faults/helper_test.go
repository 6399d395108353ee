package faults

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// TestKillHelper: the next helper takes the living program over, learns how it
// ends, and follows its policy.
func TestKillHelper(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 2ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
  code: {cmd: TEMPER -life 1500ms -code 7, starttime: 0.1, exitcodes: 7}
  user: {cmd: TEMPER, starttime: 0.1, user: nobody, nice: 5, autorestart: always}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0", "code:0", "user:0")
	talk, code, user := r.running("talk:0"), r.running("code:0"), r.running("user:0")
	for _, name := range []string{"talk:0", "code:0", "user:0"} {
		r.killHelper(name)
	}
	r.AwaitLog(`talk:0 adopted pid=` + itoa(talk.pid))
	r.AwaitLog(`user:0 adopted pid=` + itoa(user.pid))
	r.same("talk:0", talk)
	r.same("user:0", user)
	r.moreLines("talk:0")

	// Its parent is tmd now, which waits for it and tells the helper.
	r.AwaitLog(`code:0 exited pid=` + itoa(code.pid) + ` code=7 expected=yes`)
	r.Await("EXITED", "code:0")
	signal(t, talk.pid, unix.SIGHUP)
	r.AwaitLog(`talk:0 exited pid=` + itoa(talk.pid) + ` signal=HUP`)
	r.until(func() bool { return r.lives("talk:0") == 2 }, "talk:0 is restarted")
	r.OK("restart", "user")
	if user.alive() {
		t.Error("user:0 outlived its restart")
	}
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// TestTreeOfAdopted: what an adopted program began is ended with it, also in a
// session of its own and orphaned.
func TestTreeOfAdopted(t *testing.T) {
	r := newRig(t, `
programs:
  tree: {cmd: "TEMPER -brood plain=2,session=2,orphan=2", starttime: 0.1, stoptime: 5, autorestart: always}
`)
	d := r.Start()
	r.Await("RUNNING", "tree:0")
	for range 3 {
		r.killHelper("tree:0")
	}
	r.OK("restart", "tree")
	r.OK("stop", "tree")
	r.OK("start", "tree")
	r.killHelper("tree:0")
	kill(t, r.PID("tree:0"))
	r.AwaitLog(`tree:0 exited pid=\d+ signal=KILL core=no expected=no uptime=\S+ left=6`)
	r.until(func() bool { return r.lives("tree:0") == 4 }, "tree:0 is restarted")
	d.Stop()
}

// TestSlowEndOfAdopted: what is being ended is not gone while it has its locks,
// though it shows no environment any more by which the tree of an adopted
// program is told. It is so whoever ends it.
func TestSlowEndOfAdopted(t *testing.T) {
	r := newRig(t, `
programs:
  heavy: {cmd: TEMPER -brood heavy=1, starttime: 0.1, autorestart: always}
`)
	d := r.Start()
	for round, both := range []bool{false, true} {
		r.until(func() bool { return r.lives("heavy:0") == round+1 }, "heavy:0 has been started")
		r.Await("RUNNING", "heavy:0")
		pid, child, began := r.PID("heavy:0"), 0, time.Now()
		r.until(func() bool {
			for _, child = range procfs.Descendants(pid) {
				s, err := procfs.ReadStat(child)
				return err == nil && s.RSS*int64(os.Getpagesize()) > 256<<20
			}
			return false
		}, "its child has its memory")
		r.killHelper("heavy:0")
		r.AwaitLog(`heavy:0 adopted pid=` + itoa(pid) + `\n`)
		r.until(func() bool { return time.Since(began) > time.Second }, "it has lived so long that its restart is immediate")
		if both {
			kill(t, child)
		}
		kill(t, pid)
	}
	r.until(func() bool { return r.lives("heavy:0") == 3 }, "heavy:0 is restarted")
	d.Stop()
}

// TestKillHelperInEveryState: a state in which no program runs is taken over
// just as well.
func TestKillHelperInEveryState(t *testing.T) {
	r := newRig(t, `
programs:
  rest: {cmd: TEMPER, autostart: false, starttime: 0.1}
  done: {cmd: TEMPER -life 200ms, starttime: 0.1}
  dead: {cmd: HERE/none, startretries: 0}
  wait: {cmd: HERE/none, startretries: 9, backoff: {first: 1500ms}}
  slow: {cmd: TEMPER -deaf, starttime: 0.1, stoptime: 2}
  soon: {cmd: TEMPER, starttime: 2}
`)
	d := r.Start()
	r.Await("EXITED", "done:0")
	r.Await("FATAL", "dead:0")
	r.Await("BACKOFF", "wait:0")
	r.Await("STARTING", "soon:0")
	r.Await("RUNNING", "slow:0")
	r.OK("stop", "-n", "slow:0")
	r.Await("STOPPING", "slow:0")
	soon := r.running("soon:0")
	for _, name := range []string{"rest:0", "done:0", "dead:0", "wait:0", "slow:0", "soon:0"} {
		r.killHelper(name)
	}
	r.Await("STOPPED", "rest:0", "slow:0")
	r.AwaitLog(`slow:0 killed`)
	r.Await("EXITED", "done:0")
	r.Await("FATAL", "dead:0")
	r.until(func() bool { return r.Status("wait:0").Try >= 3 }, "wait:0 goes on trying")
	r.Await("RUNNING", "soon:0")
	r.same("soon:0", soon)
	r.OK("start", "rest")
	if n := r.lives("done:0"); n != 1 {
		t.Errorf("done:0 was started %d times", n)
	}
	d.Stop()
}

// TestKillHelperAgainAndAgain: helpers that die as soon as they live are
// started ever later, but a command does not wait for that.
func TestKillHelperAgainAndAgain(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0")
	was := r.running("talk:0")
	for range 3 { // the next one after the third comes later
		old := r.helper("talk:0")
		kill(t, old)
		r.until(func() bool { return r.Helper("talk:0") != old }, "helper %d is dead", old)
	}
	r.same("talk:0", was)
	r.OK("stop", "talk")
	r.OK("start", "talk")
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// TestKeepersThatCannotLive: a helper and a tmlog that end at once are started
// ever later, not without a pause. What was written meanwhile is not lost, though
// the end of tmd comes before the next of them.
func TestKeepersThatCannotLive(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	r.install("tmd", "tmmail")
	for _, name := range []string{"tmsupervise", "tmlog"} {
		r.replace(name, []byte(`#!/bin/sh
case "$*" in *talk*) read -r now rest </proc/uptime; echo "$now" >>"`+r.Dir+`/`+name+`.starts" ;; esac
exit 1
`))
	}
	d := r.Launch(exec.Command("env", "PATH=/usr/bin:/bin", r.Dir+"/bin/tmd", "-c", r.Config, "-d", r.State))
	d.AwaitUp()
	for _, name := range []string{"tmsupervise", "tmlog"} {
		var starts []string
		r.until(func() bool { starts = strings.Fields(r.Read(name + ".starts")); return len(starts) >= 5 }, "%s is tried five times", name)
		third, _ := strconv.ParseFloat(starts[2], 64)
		fifth, _ := strconv.ParseFloat(starts[4], 64)
		if fifth-third < 2.5 { // 1 s and 2 s, or longer where the machine is busy
			t.Errorf("%s was started at %v", name, starts[:5])
		}
	}
	r.install("tmsupervise", "tmlog")
	r.OK("start", "talk")
	r.moreLines("talk:0")
	d.Stop() // while the next tmlogs are still to come
	r.whole("talk:0", r.Dir+"/talk.log")
	if !strings.Contains(r.Log(), " tmd started ") {
		t.Error("the event log is lost")
	}
}

// TestReloadWithDeadHelpers: what a reload does to an instance whose helper is
// dead or stopped is done by the next one.
func TestReloadWithDeadHelpers(t *testing.T) {
	r := newRig(t, `
programs:
  gone: {cmd: "TEMPER -brood orphan=2", starttime: 0.1}
  hard: {cmd: TEMPER, starttime: 0.1}
  back: {cmd: HERE/none, startretries: 9, backoff: {first: 60}}
`)
	d := r.Start()
	r.Await("RUNNING", "gone:0", "hard:0")
	r.Await("BACKOFF", "back:0")
	gone, hard := r.running("gone:0"), r.running("hard:0")
	kill(t, r.helper("gone:0"), r.helper("hard:0"), r.helper("back:0"))
	r.write(`
programs:
  hard: {cmd: TEMPER -code 1, starttime: 0.1}
  back: {cmd: TEMPER, starttime: 0.1}
`)
	r.OK("reload")
	if gone.alive() || hard.alive() {
		t.Error("the old programs live")
	}
	r.Await("RUNNING", "hard:0", "back:0")
	r.until(func() bool { return !strings.Contains(strings.Join(r.stateFiles(), " "), "gone:0") }, "nothing is left of gone:0")

	signal(t, r.helper("hard:0"), unix.SIGSTOP)
	signal(t, r.helper("back:0"), unix.SIGSTOP)
	r.write(`
programs:
  hard: {cmd: TEMPER -code 2, starttime: 0.1}
`)
	r.OK("reload")
	r.Await("RUNNING", "hard:0")
	if n := r.lives("hard:0"); n != 3 {
		t.Errorf("hard:0 was started %d times", n)
	}
	d.Stop()
}

// TestStoppedHelper: a helper that someone stopped hears the next command, and
// no shutdown waits for it.
func TestStoppedHelper(t *testing.T) {
	r := newRig(t, `
programs:
  a: {cmd: TEMPER, starttime: 0.1, numprocs: 3}
`)
	d := r.Start()
	r.Await("RUNNING", "a:0", "a:1", "a:2")
	signal(t, r.helper("a:0"), unix.SIGSTOP)
	r.OK("stop", "a:0")
	r.OK("start", "a:0")
	signal(t, r.helper("a:0"), unix.SIGSTOP)
	signal(t, r.PID("a:1"), unix.SIGSTOP)
	d.Stop()
}

// TestKillBoth: tmd and helpers at once; one program dies in the gap and is
// restarted by its policy, with the true signal, the others are the same.
func TestKillBoth(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 2ms, starttime: 0.1, numprocs: 3, stdout: {file: "HERE/talk.log"}}
  tree: {cmd: "TEMPER -brood orphan=2,session=1", starttime: 0.1}
`)
	d := r.Start()
	names := []string{"talk:0", "talk:1", "talk:2", "tree:0"}
	r.Await("RUNNING", names...)
	was := map[string]running{}
	for _, name := range names {
		was[name] = r.running(name)
	}
	d.Signal(syscall.SIGKILL)
	for _, name := range names {
		kill(t, r.helper(name))
	}
	d.Wait()
	kill(t, was["talk:2"].pid)
	d = r.Start()
	for _, name := range []string{"talk:0", "talk:1", "tree:0"} {
		r.AwaitLog(name + ` adopted pid=` + itoa(was[name].pid))
		r.same(name, was[name])
	}
	r.until(func() bool { return r.lives("talk:2") == 2 }, "talk:2, which died in the gap, is restarted")
	r.AwaitLog(`talk:2 exited pid=` + itoa(was["talk:2"].pid))
	// Nobody of ours was its parent; its reaper is asked by PIDFD_GET_INFO.
	kill(t, was["talk:1"].pid)
	r.AwaitLog(`talk:1 exited pid=` + itoa(was["talk:1"].pid) + ` signal=KILL`)
	r.OK("stop", "tree")
	d.Stop()
	for _, name := range names[:3] {
		r.whole(name, r.Dir+"/talk.log")
	}
}

// TestKillAllKeepers: everything that is ours, at once.
func TestKillAllKeepers(t *testing.T) {
	r := newRig(t, `
taskmaster: {listen: "127.0.0.1:0", mail: {to: [a@example.org], server: "127.0.0.1:9", spool: HERE/spool}}
programs:
  talk: {cmd: TEMPER -every 20ms, starttime: 0.1, numprocs: 2, stdout: {file: "HERE/talk.log"}}
  down: {cmd: TEMPER, starttime: 0.1}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0", "talk:1", "down:0")
	r.OK("stop", "down")
	was := []running{r.running("talk:0"), r.running("talk:1")}
	for range 3 {
		d.Kill()
		for _, name := range []string{"tmsupervise", "tmlog", "tmmail"} {
			for _, pid := range r.Children(name) {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
		r.moreLines("talk:0") // into a pipe that nobody reads
		d = r.Start()
		r.same("talk:0", was[0])
		r.same("talk:1", was[1])
		r.OK("wait", "-t", "60", "talk", "running")
	}
	if !regexp.MustCompile(`(?m)^down:0\tSTOPPED`).MatchString(r.Ctl("status", "-p").Stdout) {
		t.Error("down:0 was stopped by hand and is not")
	}
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
	r.whole("talk:1", r.Dir+"/talk.log")
}
