package faults

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"taskmaster/lib/procfs"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// TestOutput: a program that floods its stdout, closes it, or hands it to a
// child that outlives it, costs nobody else anything, and no line.
func TestOutput(t *testing.T) {
	r := newRig(t, `
programs:
  flood: {cmd: TEMPER -flood 40000, starttime: 0, stdout: {file: "HERE/flood.log", maxbytes: 200KB, backups: 1000}}
  mute: {cmd: TEMPER -mute, starttime: 0.1, stdout: {file: "HERE/mute.log"}, stderr: {file: "HERE/mute.err"}}
  hand: {cmd: [sh, -c, "echo first; (trap '' TERM; sleep 1000) & echo second"], stoptime: 0.2, stdout: {file: "HERE/hand.log"}}
`)
	d := r.Start()
	r.Await("RUNNING", "flood:0", "mute:0")
	r.until(func() bool { return r.said("flood:0") > 1000 }, "flood:0 floods")
	r.OK("pid")
	r.AwaitLog(`hand:0 exited pid=\d+ code=0 expected=yes uptime=\S+ left=\d`)
	r.Await("EXITED", "hand:0")
	r.until(func() bool { return r.said("flood:0") == 40000 }, "flood:0 is done")
	// A reader that spins over a closed end would use all of a processor.
	for _, name := range []string{"tmsupervise", "tmlog"} {
		for _, pid := range r.Children(name) {
			if s, err := procfs.ReadStat(pid); err != nil || s.User+s.System > 5*procfs.TicksPerSecond {
				t.Errorf("%s %d used %d ticks of processor time, %v", name, pid, s.User+s.System, err)
			}
		}
	}
	d.Stop()
	r.whole("flood:0", r.logFiles("flood.log")...)
	if text := r.Read("hand.log"); text != "first\nsecond\n" {
		t.Errorf("hand.log: %q", text)
	}
}

// TestTenThousandForks: below one program processes come and go by ten
// thousand forks, half of them orphans; its helper waits for all of these.
func TestTenThousandForks(t *testing.T) {
	r := newRig(t, `
programs:
  fork: {cmd: [sh, -c, "i=0; while [ $i -lt 5000 ]; do ( (:) & ); i=$((i+1)); done; touch HERE/forked; exec sleep 1000"], starttime: 0.1}
`)
	d := r.Start()
	r.Await("RUNNING", "fork:0")
	helper := r.helper("fork:0")
	r.until(func() bool { _, err := exec.Command("test", "-e", r.Dir+"/forked").Output(); return err == nil }, "10000 forks")
	r.until(func() bool { return len(procfs.Children(helper)) == 1 }, "the helper has no child but the program")
	if now := r.helper("fork:0"); now != helper {
		t.Errorf("the helper was %d and is %d", helper, now)
	}
	d.Stop()
}

// TestClients: those who do not speak, do not read, or are gone without a word
// hold up nobody.
func TestClients(t *testing.T) {
	r := newRig(t, `
programs:
  brief: {cmd: TEMPER -life 10ms -code 3, starttime: 0, autorestart: always}
  one: {cmd: TEMPER, starttime: 0.1}
`)
	d := r.Start()
	r.Await("RUNNING", "one:0")
	address := strings.TrimSpace(r.Read("state/address"))
	for range 100 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	var watchers []*exec.Cmd
	for range 5 {
		watchers = append(watchers, r.stoppedWatcher())
	}
	was := r.lives("brief:0")
	r.until(func() bool { return r.lives("brief:0") > was+2 }, "events go on")
	r.OK("restart", "one")
	for _, w := range watchers {
		w.Process.Kill()
		w.Wait()
	}
	d.Stop()
}

// stoppedWatcher starts a `tmctl watch` and stops it once it has seen an event.
func (r *rig) stoppedWatcher() *exec.Cmd {
	r.t.Helper()
	seen, err := os.CreateTemp(r.Dir, "seen")
	if err != nil {
		r.t.Fatal(err)
	}
	defer seen.Close()
	watch := exec.Command(tmtest.Bin("tmctl"), "-d", r.State, "watch")
	watch.Stdout = seen
	if err := watch.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.until(func() bool { s, err := seen.Stat(); return err == nil && s.Size() > 0 }, "tmctl watch shows an event")
	signal(r.t, watch.Process.Pid, unix.SIGSTOP)
	return watch
}
