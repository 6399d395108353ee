package faults

import (
	"os"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/statedir"
)

// TestAnotherBoot: a state directory that outlived a boot, as on a disk,
// describes processes that are no more, and wishes of another day. It is begun
// anew, and what is not of this boot goes.
func TestAnotherBoot(t *testing.T) {
	r := newRig(t, `
programs:
  up: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/up.log"}}
  held: {cmd: TEMPER, starttime: 0.1}
  gone: {cmd: TEMPER, starttime: 0.1}
`)
	d := r.Start()
	r.Await("RUNNING", "up:0", "held:0", "gone:0")
	r.OK("stop", "held")
	d.Kill()
	kill(t, r.Children("tmsupervise")...)
	kill(t, append(r.Children("temper"), r.Children("tmlog")...)...)
	r.NothingLeft()
	must(t, os.WriteFile(r.dir().Boot(), []byte("01234567-89ab-cdef-0123-456789abcdef\n"), 0o600))
	must(t, os.Remove(r.dir().Run("up:0").Status())) // what only a living helper mends
	r.write(`
programs:
  up: {cmd: TEMPER -every 5ms, starttime: 0.1, stdout: {file: "HERE/other.log"}}
  held: {cmd: TEMPER, starttime: 0.1}
`)
	d = r.Start()
	r.Await("RUNNING", "up:0", "held:0")
	left := strings.Join(r.stateFiles(), "\n")
	if strings.Contains(left, "run/gone:0") || strings.Contains(left, "up.log") {
		t.Errorf("of the other boot is left:\n%s", left)
	}
	if log := r.Log(); strings.Contains(log, " adopted ") || strings.Contains(log, "gone:0 exited") {
		t.Errorf("something was found of another boot:\n%s", log)
	}
	d.Stop()
}

// TestClockWasSet: the clock on the wall was set by decades, so that all that
// was written before comes from another age. What runs and waits does so by
// the monotonic clock.
func TestClockWasSet(t *testing.T) {
	r := newRig(t, `
programs:
  run: {cmd: TEMPER, starttime: 0.1, numprocs: 2, autorestart: always}
  soon: {cmd: TEMPER, starttime: 2, numprocs: 2}
  wait: {cmd: HERE/none, startretries: 9, backoff: {first: 1500ms, max: 1500ms}, numprocs: 2}
  slow: {cmd: TEMPER -deaf, starttime: 0.1, stoptime: 3, numprocs: 2}
`)
	d := r.Start()
	r.Await("RUNNING", "run:0", "run:1", "slow:0", "slow:1")
	r.Await("BACKOFF", "wait:0", "wait:1")
	r.until(func() bool { return r.Status("soon:0").PID != 0 && r.Status("soon:1").PID != 0 }, "both are started")
	r.OK("stop", "-n", "slow")
	r.Await("STOPPING", "slow:0", "slow:1")
	was := map[string]running{}
	d.Kill()
	kill(t, r.Children("tmsupervise")...)
	r.until(func() bool { return len(r.Children("tmsupervise")) == 0 }, "the helpers are dead")
	for _, program := range []string{"run", "soon", "wait", "slow"} {
		for i, year := range []int{1970, 2099} {
			name := program + ":" + itoa(i)
			s := r.Status(name)
			s.Event.Time = time.Date(year, 1, 2, 0, 0, 0, 0, time.UTC)
			must(t, statedir.Replace(r.dir().Run(name).Status(), s.Line()))
			if s.PID != 0 {
				was[name] = running{s.PID, s.Start}
			}
		}
	}
	d = r.Start()
	r.Await("RUNNING", "soon:0", "soon:1")
	r.Await("STOPPED", "slow:0", "slow:1")
	for _, name := range []string{"run:0", "run:1", "soon:0", "soon:1"} {
		r.same(name, was[name])
		uptime := strings.Split(r.Ctl("status", "-p", name).Stdout, "\t")[3]
		if lived, err := time.ParseDuration(uptime + "s"); err != nil || lived < 0 || lived > time.Hour {
			t.Errorf("%s is up for %s s", name, uptime)
		}
	}
	for _, name := range []string{"wait:0", "wait:1"} {
		r.until(func() bool { return r.Status(name).Try >= 3 }, "%s goes on trying", name)
	}
	kill(t, was["run:0"].pid, was["run:1"].pid)
	r.until(func() bool { return r.lives("run:0") == 2 && r.lives("run:1") == 2 }, "both run again")
	d.Stop()
}
