package faults

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// install copies our programs to a directory of the test's own, as `make
// install` does: by rename.
func (r *rig) install(names ...string) {
	r.t.Helper()
	os.Mkdir(r.Dir+"/bin", 0o755)
	for _, name := range names {
		content, err := os.ReadFile(tmtest.Bin(name))
		if err != nil {
			r.t.Fatal(err)
		}
		r.replace(name, content)
	}
}

func (r *rig) replace(name string, content []byte) {
	r.t.Helper()
	path := r.Dir + "/bin/" + name
	if err := os.WriteFile(path+".new", content, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		r.t.Fatal(err)
	}
}

// TestUpgrade: the binaries are replaced while all runs, and tmd by itself;
// same pids throughout, and the clients' address stays.
func TestUpgrade(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 2ms, numprocs: 2, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
  down: {cmd: TEMPER, starttime: 0.1}
`)
	r.install("tmd", "tmsupervise", "tmlog", "tmmail")
	d := r.Launch(exec.Command(r.Dir+"/bin/tmd", "-c", r.Config, "-d", r.State))
	d.AwaitUp()
	r.Await("RUNNING", "talk:0", "talk:1", "down:0")
	r.OK("stop", "down")
	talk, helper, address := r.running("talk:0"), r.helper("talk:0"), r.Read("state/address")
	for _, how := range []func(){func() { r.OK("upgrade") }, func() { d.Signal(unix.SIGUSR2) }} {
		began := strings.Count(r.Log(), " tmd started ")
		r.install("tmd", "tmsupervise", "tmlog", "tmmail")
		how()
		r.until(func() bool { return strings.Count(r.Log(), " tmd started ") > began }, "the new tmd starts")
		d.AwaitUp()
		r.same("talk:0", talk)
		if now := r.helper("talk:0"); now != helper {
			t.Errorf("the helper was %d and is %d", helper, now)
		}
		if now := r.Read("state/address"); now != address {
			t.Errorf("tmd listened on %q and now on %q", address, now)
		}
	}
	if strings.TrimSpace(r.OK("pid")) != itoa(d.PID()) {
		t.Errorf("tmd was %d, now it is %s", d.PID(), r.OK("pid"))
	}
	if state := r.Status("down:0").State; state != "STOPPED" {
		t.Errorf("down:0, stopped by hand, is %s", state)
	}
	r.OK("restart", "talk")
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// TestRemovedBinaries: programs go on and are restarted when our binaries are
// gone, and who dies then comes back once they are there again.
func TestRemovedBinaries(t *testing.T) {
	r := newRig(t, `
programs:
  straight: {cmd: TEMPER, starttime: 0.1}
  staged: {cmd: TEMPER, starttime: 0.1, nice: 5}
`)
	r.install("tmd", "tmsupervise", "tmlog", "tmmail")
	d := r.Launch(exec.Command("env", "PATH=/usr/bin:/bin", r.Dir+"/bin/tmd", "-c", r.Config, "-d", r.State))
	d.AwaitUp()
	r.Await("RUNNING", "straight:0", "staged:0")
	if err := os.RemoveAll(r.Dir + "/bin"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"straight:0", "staged:0"} {
		kill(t, r.PID(name))
		r.until(func() bool { return r.lives(name) == 2 }, "%s is restarted", name)
		r.Await("RUNNING", name)
	}
	was := r.running("straight:0")
	kill(t, r.helper("straight:0"))
	r.until(func() bool { return strings.Contains(d.Stderr(), "unable to start the helper of straight:0") }, "tmd says so")
	r.same("straight:0", was)
	r.install("tmd", "tmsupervise", "tmlog", "tmmail")
	r.helper("straight:0")
	r.same("straight:0", was)
	r.OK("restart", "straight")
	d.Stop()
}

// TestBadUpgrade: a binary that does not run, and a configuration that the
// new tmd would refuse, are found before anything is given up.
func TestBadUpgrade(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER, starttime: 0.1}
`)
	r.install("tmd", "tmsupervise", "tmlog", "tmmail")
	d := r.Launch(exec.Command(r.Dir+"/bin/tmd", "-c", r.Config, "-d", r.State))
	d.AwaitUp()
	r.Await("RUNNING", "one:0")
	good := r.Read("taskmaster.yaml")
	refused := func(what, why string) {
		t.Helper()
		if out := r.Ctl("upgrade"); out.Code != 1 || !strings.Contains(out.Stderr, why) {
			t.Errorf("%s: exit %d, %s", what, out.Code, out.Stderr)
		}
		r.OK("status")
	}
	r.replace("tmd", []byte("#!/bin/sh\necho broken build\nexit 1\n"))
	refused("a tmd that fails", "broken build")
	r.replace("tmd", []byte("\x7fELF, not quite"))
	refused("a tmd that is no program", "exec format error")
	r.install("tmd")
	r.File("taskmaster.yaml", "programs: {one: {}}\n")
	refused("a configuration with a mistake", "1 mistake")
	r.File("taskmaster.yaml", good)
	r.OK("upgrade")
	d.AwaitUp()
	d.Stop()
}

// TestLeaveAndReturn: shutdown -k leaves everything to the next tmd.
func TestLeaveAndReturn(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 2ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0")
	talk, helper := r.running("talk:0"), r.helper("talk:0")
	r.OK("shutdown", "-k")
	if code := d.Wait(); code != 0 {
		t.Errorf("tmd: exit %d", code)
	}
	r.moreLines("talk:0")
	if out := r.Ctl("status"); out.Code != 102 {
		t.Errorf("status without tmd: exit %d, %s", out.Code, out.Stderr)
	}
	d = r.Start()
	r.same("talk:0", talk)
	if now := r.helper("talk:0"); now != helper {
		t.Errorf("the helper was %d and is %d", helper, now)
	}
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}
