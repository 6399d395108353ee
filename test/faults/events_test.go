package faults

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStoppedTmd: while tmd is stopped its helpers and programs go on. What the
// events FIFO has no room for is counted, and no state is wrong afterwards.
func TestStoppedTmd(t *testing.T) {
	r := newRig(t, `
programs:
  brief: {cmd: TEMPER -life 20ms -code 3, starttime: 0.01, startretries: 100, backoff: {first: 20ms, max: 20ms}}
  talk: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
  once: {cmd: TEMPER, starttime: 0.1, autorestart: never}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0", "once:0")
	talk, once := r.running("talk:0"), r.running("once:0")
	signal(t, d.PID(), unix.SIGSTOP)
	r.fillFIFO(r.dir().Events())
	was := r.lives("brief:0")
	r.until(func() bool { return r.lives("brief:0") >= was+8 }, "brief:0 is restarted without tmd")
	kill(t, r.helper("talk:0"))
	kill(t, talk.pid) // nobody but tmd can know how it ends
	kill(t, once.pid)
	r.Await("EXITED", "once:0")
	kill(t, r.helper("once:0")) // which had no room to tell that
	signal(t, d.PID(), unix.SIGCONT)
	r.AwaitLog(`brief:0 lost n=\d+`)
	r.AwaitLog(`talk:0 exited pid=` + itoa(talk.pid) + ` signal=KILL`)
	r.AwaitLog(`once:0 exited pid=` + itoa(once.pid) + ` signal=KILL`)
	r.until(func() bool { return r.lives("talk:0") == 2 }, "talk:0 is restarted")
	r.OK("stop", "brief")
	r.OK("wait", "-t", "60", "talk", "running")
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// fillFIFO writes lines that are no events until there is no room.
func (r *rig) fillFIFO(path string) {
	r.t.Helper()
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer unix.Close(fd)
	line := []byte(strings.Repeat("x", 63) + "\n")
	for err == nil {
		_, err = unix.Write(fd, line)
	}
	if err != unix.EAGAIN {
		r.t.Fatal(err)
	}
}

// TestWishOutlivesEverything: what a user was told will be done is done, even
// if tmd and the helper die before the helper has read the command.
func TestWishOutlivesEverything(t *testing.T) {
	freezer := newCgroup(t, "freezer")
	r := newRig(t, `
programs:
  up: {cmd: TEMPER, starttime: 0.1}
  down: {cmd: TEMPER, starttime: 0.1, autostart: false}
`)
	d := r.Start()
	r.Await("RUNNING", "up:0")
	for _, command := range [][2]string{{"stop", "up"}, {"start", "down"}} {
		helper := r.helper(command[1] + ":0")
		freezer.write("cgroup.procs", itoa(helper))
		freezer.freeze(true)
		r.OK(command[0], "-n", command[1])
		d.Kill()
		kill(t, helper)
		freezer.freeze(false)
		r.until(func() bool { return r.Helper(command[1]+":0") == 0 }, "helper %d is dead", helper)
		d = r.Start()
	}
	r.OK("wait", "-t", "60", "up", "stopped")
	r.OK("wait", "-t", "60", "down", "running")
	d.Stop()
}

// TestReloadOutlivesEverything: what a reload was about to do is done by the
// next tmd, even if tmd and the helpers die before a helper has heard of it,
// and what a user stopped just before stays stopped.
func TestReloadOutlivesEverything(t *testing.T) {
	freezer := newCgroup(t, "freezer")
	r := newRig(t, `
programs:
  web: {cmd: TEMPER -code 1, starttime: 0.1}
  held: {cmd: TEMPER -code 1, starttime: 0.1}
  late: {cmd: TEMPER -code 1, starttime: 0.1}
  dead: {cmd: HERE/none, startretries: 0}
`)
	d := r.Start()
	r.Await("RUNNING", "web:0", "held:0", "late:0")
	r.Await("FATAL", "dead:0")
	var helpers []int
	for _, name := range []string{"web:0", "held:0", "late:0", "dead:0"} {
		helpers = append(helpers, r.helper(name))
		freezer.write("cgroup.procs", itoa(r.helper(name)))
	}
	freezer.freeze(true)
	r.OK("stop", "-n", "held", "late")
	r.write(`
programs:
  web: {cmd: TEMPER -code 2, starttime: 0.1}
  held: {cmd: TEMPER -code 2, starttime: 0.1}
  late: {cmd: TEMPER -code 2, starttime: 0.1}
  dead: {cmd: TEMPER -code 2, starttime: 0.1}
`)
	d.Signal(unix.SIGHUP)
	r.AwaitLog(` tmd reload by=HUP .* restarted=2 changed=2`)
	d.Kill()
	kill(t, helpers[0], helpers[1], helpers[3])
	freezer.freeze(false)
	for _, name := range []string{"web:0", "held:0", "dead:0"} {
		r.until(func() bool { return r.Helper(name) == 0 }, "the helper of %s is dead", name)
	}
	d = r.Start()
	r.until(func() bool { return r.lives("web:0") == 2 }, "web:0 is started anew")
	r.OK("wait", "-t", "60", "web", "running")
	r.OK("wait", "-t", "60", "dead", "running")
	r.OK("wait", "-t", "60", "held", "stopped")
	r.OK("wait", "-t", "60", "late", "stopped")
	for _, name := range []string{"held:0", "late:0"} {
		if n := r.lives(name); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
	d.Stop()
}

// TestStopThatHasToWait: what a user stopped in order is stopped by the next
// tmd, if one is killed before it was the instance's turn.
func TestStopThatHasToWait(t *testing.T) {
	r := newRig(t, `
programs:
  low: {cmd: TEMPER, starttime: 0.1, priority: 1}
  deaf: {cmd: TEMPER -deaf, starttime: 0.1, stoptime: 1000}
`)
	d := r.Start()
	r.Await("RUNNING", "low:0", "deaf:0")
	r.OK("stop", "-n", "all")
	r.Await("STOPPING", "deaf:0")
	d.Kill()
	d = r.Start()
	r.OK("wait", "-t", "60", "low", "stopped")
	r.OK("start", "low")
	d.Kill()
	d = r.Start()
	r.OK("wait", "-t", "60", "low", "running")
	kill(t, r.PID("deaf:0"))
	d.Stop()
}

// TestCommandsInFlight: a command that a tmd before had sent, and the helper
// did not read yet, takes nothing from those of the next tmd.
func TestCommandsInFlight(t *testing.T) {
	r := newRig(t, `
programs:
  a: {cmd: TEMPER, starttime: 0.1, numprocs: 2}
`)
	d := r.Start()
	r.Await("RUNNING", "a:0", "a:1")
	for _, name := range []string{"a:0", "a:1"} {
		helper := r.helper(name)
		signal(t, helper, unix.SIGSTOP)
		// As a tmd would have, that was killed right then.
		seq := r.Status(name).Seq + 1
		r.control(name, "restart seq="+itoa(seq)+" cause=user\n")
	}
	d.Kill()
	d = r.Start()
	r.OK("stop", "a:0")
	r.OK("start", "a:1")
	r.OK("wait", "-t", "60", "a:0", "stopped")
	r.OK("wait", "-t", "60", "a:1", "running")
	d.Stop()
}

// control writes to an instance's control FIFO, as a person may.
func (r *rig) control(name, text string) {
	r.t.Helper()
	fd, err := unix.Open(r.dir().Run(name).Control(), unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}
