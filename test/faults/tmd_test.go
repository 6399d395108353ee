package faults

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"taskmaster/test/faults/record"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// TestKillTmd: nothing but the next tmd notices that one was killed.
func TestKillTmd(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 2ms, numprocs: 2, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
  down: {cmd: TEMPER, starttime: 0.1}
  late: {cmd: TEMPER, autostart: false}
  gone: {cmd: TEMPER, starttime: 0.1, autorestart: always}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0", "talk:1", "down:0", "gone:0")
	r.OK("stop", "down")
	r.OK("restart", "talk:1")
	kill(t, r.PID("talk:0"))
	r.until(func() bool { return r.lives("talk:0") == 2 }, "talk:0 lives again")
	r.Await("RUNNING", "talk:0", "talk:1")
	was := map[string]running{"talk:0": r.running("talk:0"), "talk:1": r.running("talk:1")}
	helpers := map[string]int{"talk:0": r.helper("talk:0"), "talk:1": r.helper("talk:1"), "down:0": r.helper("down:0")}
	writer := r.Children("tmlog")

	d.Kill()
	crashed := r.running("gone:0")
	kill(t, crashed.pid)
	r.until(func() bool { return r.lives("gone:0") == 2 }, "its helper restarts gone:0 without tmd")
	r.Await("RUNNING", "gone:0")
	r.moreLines("talk:0")

	d = r.Start()
	for name, p := range was {
		r.same(name, p)
	}
	for name, pid := range helpers {
		if now := r.helper(name); now != pid {
			t.Errorf("the helper of %s was %d and is %d", name, pid, now)
		}
	}
	if now := r.Children("tmlog"); len(now) != len(writer) {
		t.Errorf("tmlogs were %v and are %v", writer, now)
	}
	status := r.Ctl("status", "-p").Stdout
	for _, pattern := range []string{`(?m)^talk:0\tRUNNING\t\d+\t[\d.]+\t1\t`, `(?m)^talk:1\tRUNNING\t\d+\t[\d.]+\t0\t`,
		`(?m)^down:0\tSTOPPED`, `(?m)^late:0\tSTOPPED`, `(?m)^gone:0\tRUNNING\t\d+\t[\d.]+\t1\t`} {
		if !regexp.MustCompile(pattern).MatchString(status) {
			t.Errorf("status has no %s:\n%s", pattern, status)
		}
	}
	// What happened in the gap was waiting in the FIFO.
	r.AwaitLog(`gone:0 exited pid=` + itoa(crashed.pid) + ` signal=KILL`)
	r.AwaitLog(`gone:0 running pid=` + itoa(r.PID("gone:0")))
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
	r.whole("talk:1", r.Dir+"/talk.log")
}

// TestChangedInTheGap: a configuration that was changed while no tmd ran is
// applied as a reload would.
func TestChangedInTheGap(t *testing.T) {
	r := newRig(t, `
programs:
  same: {cmd: TEMPER, starttime: 0.1}
  soft: {cmd: TEMPER, starttime: 0.1, stoptime: 10}
  hard: {cmd: TEMPER -code 1, starttime: 0.1}
  less: {cmd: TEMPER, starttime: 0.1, numprocs: 3}
  gone: {cmd: TEMPER, starttime: 0.1}
  dead: {cmd: HERE/none, startretries: 0}
  held: {cmd: TEMPER -code 3, starttime: 0.1}
`)
	d := r.Start()
	r.Await("RUNNING", "same:0", "soft:0", "hard:0", "less:0", "less:2", "gone:0", "held:0")
	r.Await("FATAL", "dead:0")
	r.OK("stop", "held")
	same, soft, hard, less := r.running("same:0"), r.running("soft:0"), r.running("hard:0"), r.running("less:0")
	d.Kill()
	// A helper that is dead as well makes no difference.
	kill(t, r.helper("dead:0"), r.helper("soft:0"))
	r.write(`
programs:
  same: {cmd: TEMPER, starttime: 0.1}
  soft: {cmd: TEMPER, starttime: 0.1, stoptime: 5}
  hard: {cmd: TEMPER -code 2, starttime: 0.1}
  less: {cmd: TEMPER, starttime: 0.1, numprocs: 1}
  dead: {cmd: TEMPER, startretries: 0, starttime: 0.1}
  held: {cmd: TEMPER -code 4, starttime: 0.1}
  more: {cmd: TEMPER, starttime: 0.1}
`)
	d = r.Start()
	r.OK("wait", "-t", "60", "more", "running")
	r.until(func() bool { return r.lives("hard:0") == 2 }, "hard:0 is started anew")
	r.OK("wait", "-t", "60", "hard", "running")
	r.OK("wait", "-t", "60", "dead", "running")
	r.same("same:0", same)
	r.same("soft:0", soft)
	r.same("less:0", less)
	if hard.alive() {
		t.Error("hard:0 runs on with its old command line")
	}
	r.until(func() bool { return !strings.Contains(strings.Join(r.stateFiles(), "\n"), "run/gone:0") }, "gone:0 is removed")
	r.until(func() bool { return !strings.Contains(strings.Join(r.stateFiles(), "\n"), "run/less:1") }, "less:1 is removed")
	if state := r.Status("held:0").State; state != "STOPPED" {
		t.Errorf("held:0, stopped by hand, is %s", state)
	}
	if text := r.OK("show", "soft:0"); !strings.Contains(text, "stoptime") {
		t.Errorf("show soft:0: %s", text)
	}
	d.Stop()
}

// TestLogsChangedInTheGap: a tmlog of a file that nothing names any more, and a
// tmmail that nobody wants any more, are ended once nobody writes to them; so
// is the former tmlog of a program that a reload restarts with another.
func TestLogsChangedInTheGap(t *testing.T) {
	r := newRig(t, `
taskmaster: {listen: "127.0.0.1:0", mail: {to: [a@example.org], server: "127.0.0.1:9", spool: HERE/spool}}
programs:
  gone: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/gone.log"}}
  less: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/less.log"}}
  moved: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/first.log"}}
`)
	d := r.Start()
	r.Await("RUNNING", "gone:0", "less:0", "moved:0")
	d.Kill()
	kill(t, r.logger("less.log")) // its pipe has to be read all the same
	r.write(`
programs:
  less: {cmd: TEMPER -every 5ms, starttime: 0.1}
  moved: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/second.log"}}
`)
	d = r.Start()
	r.onlyLogger("second.log")
	r.until(func() bool { return len(r.Children("tmmail")) == 0 }, "no tmmail runs")
	r.OK("wait", "-t", "60", "moved", "running")
	r.write(`
programs:
  moved: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/third.log"}}
`)
	r.OK("reload")
	r.onlyLogger("third.log")
	d.Stop()
	r.whole("gone:0", r.Dir+"/gone.log")
	r.whole("moved:0", r.Dir+"/first.log", r.Dir+"/second.log", r.Dir+"/third.log")
	book := record.Book{}
	if err := book.Read(r.Dir + "/less.log"); err != nil {
		t.Fatal(err)
	}
	first := record.Lives(r.home, "less:0")[0]
	if said, found := record.Said(r.home, "less:0", first), len(book["less:0 "+first]); found < said {
		t.Errorf("less:0 said %d lines and less.log has %d", said, found)
	}
}

// TestDamagedStatus: what somebody did to the status files while no tmd ran is
// mended by the helpers that live, and those that come find their programs.
func TestDamagedStatus(t *testing.T) {
	r := newRig(t, `
programs:
  kept: {cmd: TEMPER, starttime: 0.1, numprocs: 2}
  dead: {cmd: TEMPER, starttime: 0.1, numprocs: 2}
`)
	d := r.Start()
	names := []string{"kept:0", "kept:1", "dead:0", "dead:1"}
	r.Await("RUNNING", names...)
	was := map[string]running{}
	for _, name := range names {
		was[name] = r.running(name)
	}
	d.Kill()
	kill(t, r.helper("dead:0"), r.helper("dead:1"))
	for i, name := range names {
		status := r.dir().Run(name).Status()
		if i%2 == 0 {
			must(t, os.Truncate(status, 10))
		} else {
			must(t, os.Remove(status))
		}
	}
	d = r.Start()
	r.OK("wait", "-t", "60", "all", "running")
	for name, p := range was {
		r.same(name, p)
	}
	r.OK("restart", "all")
	d.Stop()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRemovedStateDirectory: a tmd on a new state directory starts nothing
// while helpers of a removed one keep what it would start, unless they have
// another directory of that path, as in a container.
func TestRemovedStateDirectory(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER, starttime: 0.1, numprocs: 2}
`)
	d := r.Start()
	r.Await("RUNNING", "one:0", "one:1")
	one, helpers := r.running("one:0"), []int{r.helper("one:0"), r.helper("one:1")}
	away := r.Dir + "/away" // in which nobody makes a file again
	must(t, os.Rename(r.State, away))
	must(t, os.RemoveAll(away))
	d.Signal(unix.SIGUSR2)
	r.until(func() bool { return strings.Contains(d.Stderr(), "unable to upgrade: the state directory was removed") }, "tmd stays as it is")
	d.Kill()

	second := exec.Command(tmtest.Bin("tmd"), "-c", r.Config, "-d", r.State)
	out := r.RunCommand(second)
	if want := "it was removed under 2 tmsupervise that still run, one is pid "; out.Code != 111 || !strings.Contains(out.Stderr, want) {
		t.Errorf("exit %d: %s", out.Code, out.Stderr)
	}
	r.File("other.yaml", `taskmaster: {listen: "127.0.0.1:0", log: "`+r.Dir+`/other.log"}
programs: {}
`)
	d = r.Launch(exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs -o mode=700 none "$0" && exec "$@"`, r.State,
		tmtest.Bin("tmd"), "-c", r.Dir+"/other.yaml", "-d", r.State))
	r.until(func() bool { return strings.Contains(r.Read("other.log"), " tmd started ") }, "one that cannot know them starts")
	d.Signal(unix.SIGTERM)
	d.Wait()

	if !one.alive() {
		t.Error("one:0 has ended")
	}
	kill(t, helpers...)
	kill(t, append(r.Children("temper"), r.Children("tmlog")...)...)
	r.NothingLeft()
	d = r.Start()
	r.Await("RUNNING", "one:0", "one:1")
	d.Stop()
}

// TestEndWithoutStateDirectory: a tmd whose state directory is gone ends all the
// same, in order and with all that it keeps.
func TestEndWithoutStateDirectory(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER, starttime: 0.1, numprocs: 2, stdout: {file: one.log}}
  two: {cmd: TEMPER, starttime: 0.1, priority: 1000}
  down: {cmd: TEMPER, autostart: false}
`)
	d := r.Start()
	r.Await("RUNNING", "one:0", "one:1", "two:0")
	away := r.Dir + "/away" // in which nobody makes a file again
	dies := r.helper("two:0")
	must(t, os.Rename(r.State, away))
	must(t, os.RemoveAll(away))
	kill(t, dies)
	d.Signal(unix.SIGTERM)
	if code := d.Wait(); code != 0 {
		t.Errorf("exit code %d: %s", code, d.Stderr())
	}
	r.NothingLeft()
	if !strings.Contains(d.Stderr(), "tmd: warning: killed two:0 (pid ") {
		t.Errorf("it said %s", d.Stderr())
	}
}

// onlyLogger waits until no tmlog runs but that of a file and the event log's,
// and the state directory has nothing of another.
func (r *rig) onlyLogger(file string) {
	r.t.Helper()
	r.until(func() bool { return r.logger(file) != 0 && len(r.Children("tmlog")) == 2 }, "only %s has a tmlog", file)
	r.until(func() bool {
		for _, path := range r.stateFiles() {
			if strings.HasPrefix(path, "log/") && !strings.Contains(path, file) {
				return false
			}
		}
		return true
	}, "there is no FIFO but that of %s", file)
}

// TestShutdownCutShort: what a tmd that is killed was shutting down runs again
// under the next one, whether it had stopped, was stopping, or waited for its
// turn.
func TestShutdownCutShort(t *testing.T) {
	r := newRig(t, `
programs:
  first: {cmd: TEMPER, starttime: 0.1}
  deaf: {cmd: TEMPER -deaf, starttime: 0.1, stoptime: 1000}
  last: {cmd: TEMPER, starttime: 0.1, priority: 1}
`)
	d := r.Start()
	r.Await("RUNNING", "first:0", "deaf:0", "last:0")
	last := r.running("last:0")
	d.Signal(unix.SIGTERM)
	r.Await("STOPPING", "deaf:0")
	r.until(func() bool { return r.Helper("first:0") == 0 }, "first:0 has stopped")
	d.Kill()
	d = r.Start()
	r.OK("wait", "-t", "60", "first", "running")
	r.same("last:0", last)
	kill(t, r.PID("deaf:0"))
	r.until(func() bool { return r.lives("deaf:0") == 2 }, "deaf:0 is started again once it has stopped")
	r.OK("wait", "-t", "60", "deaf", "running")
	r.killHelper("deaf:0")
	r.OK("wait", "-t", "60", "deaf", "running")
	kill(t, r.PID("deaf:0"))
	d.Stop()
}

// TestShutdownInEveryState: whatever an instance is about when tmd ends,
// nothing of it is left, and nothing is started any more.
func TestShutdownInEveryState(t *testing.T) {
	r := newRig(t, `
programs:
  rest: {cmd: TEMPER, autostart: false}
  run: {cmd: TEMPER, starttime: 0.1, autorestart: always}
  soon: {cmd: TEMPER, starttime: 1000}
  wait: {cmd: HERE/none, backoff: {first: 1000, max: 1000}}
  again: {cmd: TEMPER -code 1 -life 10ms, starttime: 0, autorestart: always}
  stop: {cmd: TEMPER -deaf, starttime: 0.1, stoptime: 3}
  done: {cmd: TEMPER -life 20ms, starttime: 0}
  dead: {cmd: HERE/none, startretries: 0}
  late: {cmd: TEMPER, after: [soon]}
`)
	d := r.Start()
	r.Await("RUNNING", "run:0", "stop:0")
	r.Await("EXITED", "done:0")
	r.Await("FATAL", "dead:0")
	r.OK("stop", "-n", "stop")
	r.Await("STOPPING", "stop:0")
	r.Await("STARTING", "soon:0")
	r.Await("BACKOFF", "wait:0")
	r.until(func() bool { return r.lives("again:0") >= 2 }, "again:0 is restarted")
	d.Stop()
	_, after, _ := strings.Cut(r.Log(), " tmd stopping ")
	for _, begun := range regexp.MustCompile(`\S+ (\S+) starting .*`).FindAllStringSubmatch(after, -1) {
		// What was begun before it heard of the end can be told after it.
		if !strings.Contains(after, begun[1]+" stopp") && !strings.Contains(after, begun[1]+" exited") {
			t.Errorf("%s, and not ended", begun[0])
		}
	}
	if n := r.lives("late:0") + r.lives("rest:0") + r.lives("dead:0"); n != 0 {
		t.Errorf("%d were started at the end", n)
	}
}

// TestKillTmdEverywhere: a tmd that is killed while it starts up and
// shuts down again and again leaves nobody behind that the next does not find.
func TestKillTmdEverywhere(t *testing.T) {
	r := newRig(t, `
programs:
  many: {cmd: TEMPER -every 20ms, numprocs: 5, starttime: 0, stdout: {file: "HERE/many.log"}}
`)
	for range 10 {
		d := r.launch()
		random := r.said("many:0") // some progress of the world is the clock
		r.until(func() bool { return r.said("many:0") != random || d.Ended() }, "many:0 writes")
		d.Kill()
	}
	d := r.Start()
	r.OK("wait", "-t", "60", "many", "running")
	if n := len(r.Children("tmlog")); n != 2 {
		t.Errorf("%d tmlogs run:\n%s", n, tmtest.Describe(r.Children("tmlog")))
	}
	d.Stop()
	for _, name := range []string{"many:0", "many:4"} {
		if n := r.lives(name); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
		r.whole(name, r.Dir+"/many.log")
	}
}
