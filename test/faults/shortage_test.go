package faults

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// TestNoTasks: fork fails with EAGAIN. That is BACKOFF with its reason, uses
// up no retry, touches nothing else, and passes unaided.
func TestNoTasks(t *testing.T) {
	pids := newCgroup(t, "pids")
	r := newRig(t, `
programs:
  fine: {cmd: TEMPER, starttime: 0.1}
  poor: {cmd: TEMPER, starttime: 0.1, startretries: 1, backoff: {first: 0.2, max: 0.3}}
`)
	d := r.StartBy([]string{"sh", "-c", `echo $$ > ` + pids.procs() + ` && exec "$@"`, "sh"})
	r.Await("RUNNING", "fine:0", "poor:0")
	fine := r.running("fine:0")
	pids.write("pids.max", "1")
	kill(t, r.PID("poor:0"))
	r.until(func() bool {
		s := r.Status("poor:0")
		return s.State == "BACKOFF" && strings.Contains(s.Detail, "resource temporarily unavailable")
	}, "poor:0 is in BACKOFF for want of tasks")
	r.until(func() bool { return strings.Count(r.Log(), "poor:0 backoff") >= 4 }, "poor:0 goes on trying beyond startretries")
	r.same("fine:0", fine)
	r.OK("status", "fine")
	pids.write("pids.max", "max")
	r.Await("RUNNING", "poor:0")
	d.Stop()
}

// TestNoTasksForHelpers: a helper that cannot be forked is tried again.
func TestNoTasksForHelpers(t *testing.T) {
	pids := newCgroup(t, "pids")
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	d := r.StartBy([]string{"sh", "-c", `echo $$ > ` + pids.procs() + ` && exec "$@"`, "sh"})
	r.Await("RUNNING", "talk:0")
	talk := r.running("talk:0")
	pids.write("pids.max", "1")
	kill(t, r.helper("talk:0"), r.logger("talk.log"))
	r.until(func() bool { return strings.Contains(d.Stderr(), "unable to start the helper of talk:0") }, "tmd says so")
	r.until(func() bool { return strings.Contains(d.Stderr(), "unable to start tmlog") }, "tmd says so")
	r.OK("usage", "talk") // not status: a Go program in want of a thread may have ended
	pids.write("pids.max", "max")
	r.OK("restart", "talk")
	if talk.alive() {
		t.Error("talk:0 outlived its restart")
	}
	r.until(func() bool { return r.logger("talk.log") != 0 }, "talk.log has a tmlog again")
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// TestNoDescriptors: tmd at its limit of descriptors answers those who are in,
// tells others so, and recovers.
func TestNoDescriptors(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER, starttime: 0.1, autorestart: always}
`)
	d := r.Start()
	r.Await("RUNNING", "one:0")
	one := r.running("one:0")
	var was unix.Rlimit
	if err := unix.Prlimit(d.PID(), unix.RLIMIT_NOFILE, nil, &was); err != nil {
		t.Fatal(err)
	}
	none := unix.Rlimit{Cur: 3, Max: was.Max}
	if err := unix.Prlimit(d.PID(), unix.RLIMIT_NOFILE, &none, nil); err != nil {
		t.Fatal(err)
	}
	kill(t, r.helper("one:0"))
	r.until(func() bool { return strings.Contains(d.Stderr(), "unable to start the helper of one:0") }, "tmd says so")
	if out := r.Ctl("status"); out.Code != 102 {
		t.Errorf("status: exit %d, %s", out.Code, out.Stderr)
	}
	r.same("one:0", one)
	if err := unix.Prlimit(d.PID(), unix.RLIMIT_NOFILE, &was, nil); err != nil {
		t.Fatal(err)
	}
	r.OK("restart", "one")
	r.OK("stop", "one")
	d.Stop()
}

// TestNoDescriptorsForHelper: a helper at its limit of descriptors cannot see
// what its program left. It does not take that for gone, and recovers.
func TestNoDescriptorsForHelper(t *testing.T) {
	r := newRig(t, `
programs:
  tree: {cmd: "TEMPER -brood orphan=2", starttime: 0.1, stoptime: 0.1, autorestart: always, backoff: {first: 0.1, max: 0.2}}
`)
	d := r.Start()
	r.Await("RUNNING", "tree:0")
	helper, was := r.helper("tree:0"), unix.Rlimit{}
	if err := unix.Prlimit(helper, unix.RLIMIT_NOFILE, nil, &was); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: 8, Max: was.Max} // fewer than it has open
	if err := unix.Prlimit(helper, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	kill(t, r.PID("tree:0"))
	r.AwaitLog(` tree:0 killed `)
	if err := unix.Prlimit(helper, unix.RLIMIT_NOFILE, &was, nil); err != nil {
		t.Fatal(err)
	}
	r.AwaitLog(` tree:0 exited pid=\d+ signal=KILL `)
	r.until(func() bool { return r.lives("tree:0") == 2 }, "tree:0 is restarted")
	r.OK("wait", "-t", "60", "tree", "running")
	if now := r.helper("tree:0"); now != helper {
		t.Errorf("the helper was %d and is %d", helper, now)
	}
	d.Stop()
}

// TestFullStateDirectory: on a full disk programs are restarted, or are in
// BACKOFF with the reason; nothing is started twice, helpers and tmd come back,
// and all of it recovers unaided.
func TestFullStateDirectory(t *testing.T) {
	r := newRig(t, `
programs:
  crash: {cmd: TEMPER, starttime: 0.1, autorestart: always, backoff: {first: 0.1, max: 0.2}}
  talk: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	r.smallState("size=512k")
	d := r.Start()
	r.Await("RUNNING", "crash:0", "talk:0")
	talk := r.running("talk:0")
	r.fill()

	kill(t, r.PID("crash:0"))
	r.until(func() bool { return r.lives("crash:0") == 2 }, "crash:0 is restarted on a full disk")
	r.killHelper("talk:0")
	r.same("talk:0", talk)
	kill(t, r.logger("talk.log"))
	r.until(func() bool { return r.logger("talk.log") != 0 }, "talk.log has a tmlog again")
	r.OK("stop", "crash")
	r.OK("start", "crash")
	d.Kill()
	d = r.Start()
	r.same("talk:0", talk)
	r.write(`
programs:
  crash: {cmd: TEMPER, starttime: 0.1, autorestart: always, backoff: {first: 0.1, max: 0.2}}
  talk: {cmd: TEMPER -every 6ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	d.Signal(unix.SIGHUP)
	r.AwaitLog(" tmd reload by=HUP ")
	r.until(func() bool { return strings.Contains(d.Stderr(), "talk:0/spec: no space") }, "tmd says that it cannot write the spec")
	if err := os.Remove(r.State + "/ballast"); err != nil {
		t.Fatal(err)
	}
	r.until(func() bool { return r.lives("talk:0") == 2 }, "talk:0 is started anew once there is room")
	r.OK("wait", "-t", "60", "talk", "running")
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// smallState makes the state directory a file system of its own.
func (r *rig) smallState(options string) {
	r.t.Helper()
	if err := os.Mkdir(r.State, 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := unix.Mount("none", r.State, "tmpfs", 0, options+",mode=700"); err != nil {
		r.t.Fatalf("mount: %v", err)
	}
	r.t.Cleanup(func() { unix.Unmount(r.State, unix.MNT_DETACH) })
}

// TestAddedOnFullStateDirectory: what a reload adds while there is room for
// nothing, not even a directory, starts once there is.
func TestAddedOnFullStateDirectory(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER, starttime: 0.1}
`)
	r.smallState("size=512k,nr_inodes=64")
	d := r.Start()
	r.Await("RUNNING", "one:0")
	one := r.running("one:0")
	ballast := r.State + "/ballast.d"
	if err := os.Mkdir(ballast, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; os.WriteFile(ballast+"/"+itoa(i), nil, 0o600) == nil; i++ {
	}
	r.write(`
programs:
  one: {cmd: TEMPER, starttime: 0.1}
  two: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/two.log"}}
`)
	d.Signal(unix.SIGHUP)
	r.AwaitLog(` tmd reload by=HUP added=1 `)
	r.until(func() bool { return strings.Contains(r.Ctl("status", "two").Stdout, "without tmsupervise") }, "status says what two:0 lacks")
	if err := os.RemoveAll(ballast); err != nil {
		t.Fatal(err)
	}
	r.OK("wait", "-t", "60", "two", "running")
	r.moreLines("two:0")
	r.same("one:0", one)
	d.Stop()
	r.whole("two:0", r.Dir+"/two.log")
}

// fill leaves no room in the state directory.
func (r *rig) fill() {
	f, err := os.Create(r.State + "/ballast")
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	for size := 4096; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(bytes.Repeat([]byte{'.'}, size))
		}
	}
}

// TestOutOfMemory: the kernel's killer is told from another SIGKILL.
func TestOutOfMemory(t *testing.T) {
	memory := newCgroup(t, "memory")
	r := newRig(t, `
programs:
  hungry: {cmd: "TEMPER -cgroup `+memory.procs()+` -eat 200", starttime: 0, startretries: 0, autorestart: never}
  other: {cmd: TEMPER, starttime: 0.1, autorestart: never}
`)
	if memory.v1 {
		memory.write("memory.limit_in_bytes", "32M")
	} else {
		memory.write("memory.max", "32M")
		memory.write("memory.swap.max", "0")
	}
	d := r.Start()
	r.AwaitLog(`hungry:0 exited pid=\d+ signal=KILL .* oom=yes`)
	r.Await("EXITED", "hungry:0")
	if status := r.Ctl("status", "hungry").Stdout; !strings.Contains(status, "out of memory") {
		t.Errorf("status: %s", status)
	}
	r.Await("RUNNING", "other:0")
	kill(t, r.PID("other:0"))
	r.Await("EXITED", "other:0")
	if log := r.Log(); strings.Count(log, "oom=yes") != 1 {
		t.Errorf("a kill of ours is told as one of the kernel's:\n%s", log)
	}
	d.Stop()
}

// TestUnkillable: what SIGKILL does not end, since it is frozen (or in state
// D), is shown as such and never started twice.
func TestUnkillable(t *testing.T) {
	freezer := newCgroup(t, "freezer")
	r := newRig(t, `
programs:
  stuck: {cmd: TEMPER -cgroup `+freezer.procs()+`, starttime: 0.2, stoptime: 0.2}
`)
	d := r.Start()
	r.Await("RUNNING", "stuck:0")
	was := r.running("stuck:0")
	r.until(func() bool { return freezer.read("cgroup.procs") == itoa(was.pid) }, "it is in its cgroup")
	if !freezer.v1 {
		t.Fatal("this test needs the freezer of cgroup v1: that of v2 lets SIGKILL through")
	}
	freezer.freeze(true)
	t.Cleanup(func() { freezer.freeze(false) })
	out := r.Ctl("stop", "stuck")
	if out.Code != 1 || !strings.Contains(out.Stdout+out.Stderr, "still not gone (state D)") {
		t.Errorf("stop: exit %d, %s%s", out.Code, out.Stdout, out.Stderr)
	}
	r.OK("start", "-n", "stuck")
	r.killHelper("stuck:0")
	if r.lives("stuck:0") != 1 || !was.alive() {
		t.Error("a second copy was started")
	}
	freezer.freeze(false)
	r.until(func() bool { return r.lives("stuck:0") == 2 }, "stuck:0 starts once the old one is gone")
	r.OK("wait", "-t", "60", "stuck", "running")
	d.Stop()
}

// TestNoProc: without /proc nobody could tell who lives, so nothing starts.
func TestNoProc(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER}
`)
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs none /proc && exec "$@"`, "sh",
		tmtest.Bin("tmd"), "-c", r.Config, "-d", r.State)
	out := r.RunCommand(cmd)
	if out.Code != 111 || !strings.Contains(out.Stderr, "/proc") {
		t.Errorf("exit %d: %s", out.Code, out.Stderr)
	}
}

// TestNoCgroups: nothing of ours needs cgroups. Without them all runs, and ends
// with its tree.
func TestNoCgroups(t *testing.T) {
	r := newRig(t, `
programs:
  tree: {cmd: "TEMPER -brood orphan=2,session=1", starttime: 0.1}
`)
	d := r.StartBy([]string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys && exec "$@"`, "sh"})
	r.Await("RUNNING", "tree:0")
	r.killHelper("tree:0")
	r.OK("restart", "tree")
	r.OK("stop", "tree")
	d.Stop()
}
