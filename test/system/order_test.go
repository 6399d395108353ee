package system_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/event"
	"taskmaster/test/tmtest"
)

// happenings are the events of instances in the log, as "db:0 running".
func happenings(h *tmtest.Host) []string {
	var all []string
	for text := range strings.Lines(h.Log()) {
		if e, err := event.Parse(strings.TrimSuffix(text, "\n")); err == nil {
			all = append(all, e.Name+" "+e.Kind)
		}
	}
	return all
}

// before holds that the log has both and the first one first.
func before(t *testing.T, log []string, first, second string) {
	t.Helper()
	a, b := slices.Index(log, first), slices.Index(log, second)
	if a < 0 || b < 0 || a > b {
		t.Errorf("%q is not before %q in\n%s", first, second, strings.Join(log, "\n"))
	}
}

// together is a program of two instances, each of which is ready, and ends,
// only when the other one was started, or told to end, as well.
const together = `
both() { while [ ! -e $1.0 ] || [ ! -e $1.1 ]; do sleep 0.02; done; }
trap ': >ended.$TM_NUM; both ended; exit 0' TERM
: >started.$TM_NUM
both started
echo >&3
sleep 1000 & wait
`

// Priorities order starts ascending and stops descending; equals go together;
// a first start that fails lets the next ones go. A restart keeps both orders.
func TestPriorities(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  third: {cmd: sleep 1000, priority: 30, starttime: 0.2}
  first: {cmd: [sh, "%(here)s/together.sh"], workingdir: "%(here)s", priority: 10, numprocs: 2, ready: {notify: 3}, stoptime: 80}
  failing: {cmd: "false", priority: 20, backoff: {first: 1000, max: 1000}}
  second: {cmd: sleep 1000, priority: 20, starttime: 0.2}
  exits: {cmd: "true", priority: 25}
  unordered: {cmd: sleep 1000, starttime: 0.2}
`)
	h.File("together.sh", together)
	d := h.Start()
	h.Await("RUNNING", "first:0", "first:1", "second:0", "third:0", "unordered:0")
	atBoot := len(happenings(h))
	h.OK("restart", "first", "third", "second")
	restart := happenings(h)[atBoot:]
	d.Stop()
	log := slices.Concat(happenings(h)[:atBoot], happenings(h)[atBoot+len(restart):])
	for _, one := range []string{"first:0", "first:1"} {
		before(t, log, one+" running", "second:0 starting")
		before(t, log, one+" running", "failing:0 starting")
	}
	before(t, log, "second:0 running", "exits:0 starting")
	before(t, log, "failing:0 backoff", "exits:0 starting")
	before(t, log, "exits:0 exited", "third:0 starting")
	before(t, log, "third:0 running", "unordered:0 starting")

	before(t, restart, "third:0 stopped", "second:0 stopping")
	before(t, restart, "second:0 stopped", "first:0 stopping")
	before(t, restart, "first:1 stopped", "first:0 starting")
	before(t, restart, "first:0 running", "second:0 starting")
	before(t, restart, "second:0 running", "third:0 starting")

	before(t, log, "tmd stopping", "unordered:0 stopping")
	before(t, log, "unordered:0 stopped", "third:0 stopping")
	before(t, log, "third:0 stopped", "second:0 stopping")
	before(t, log, "second:0 stopped", "first:0 stopping")
	before(t, log, "second:0 stopped", "first:1 stopping")
	before(t, log, "first:1 stopped", "tmd stopped")
	if slices.Contains(log, "first:0 killed") || slices.Contains(log, "first:1 killed") {
		t.Error("equals were not stopped together")
	}
}

// TERM, INT and QUIT stop all programs in order; a second one does not wait
// for them any longer.
func TestStopSignals(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := tmtest.NewHost(t, `
programs:
  deaf: {cmd: [sh, -c, "trap '' TERM; touch %(here)s/deaf; while :; do sleep 1000; done"], stoptime: 1000, starttime: 0, priority: 1}
  web: {cmd: sleep 1000, starttime: 0, priority: 2}
`)
			d := h.Start()
			h.Await("RUNNING", "deaf:0", "web:0")
			tmtest.Until(t, func() bool { return slices.Contains(readDir(t, h.Dir), "deaf") }, "deaf listens")
			d.Signal(sig)
			h.AwaitLog(` deaf:0 stopping `)
			if h.Status("deaf:0").State != "STOPPING" || h.Status("web:0").PID != 0 {
				t.Errorf("deaf is %s, web has pid %d", h.Status("deaf:0").State, h.Status("web:0").PID)
			}
			// What is down already is still known, and stays down.
			tmtest.Until(t, func() bool { return !slices.Contains(readDir(t, h.Dir+"/state/run"), "web:0") }, "web has gone")
			for _, target := range []string{"web:0", "web", "w*", "all"} {
				if out := h.Ctl("status", "-p", target); out.Code != 3 || !strings.Contains(out.Stdout, "web:0\tSTOPPED\t-\t-\t0\t-\n") {
					t.Errorf("status %s: exit %d\n%s%s", target, out.Code, out.Stdout, out.Stderr)
				}
			}
			for command, want := range map[string]int{"start": 1, "restart": 1, "stop": 0, "pid": 1} {
				if out := h.Ctl(command, "web:0"); out.Code != want {
					t.Errorf("%s: exit %d, want %d\n%s%s", command, out.Code, want, out.Stdout, out.Stderr)
				}
			}
			if out := h.Ctl("wait", "web:0", "running"); out.Code != 1 {
				t.Errorf("wait: exit %d\n%s%s", out.Code, out.Stdout, out.Stderr)
			}
			d.Signal(sig)
			if code := d.Wait(); code != 0 {
				t.Errorf("exit %d", code)
			}
			h.NothingLeft()
			h.AwaitLog(` tmd stopping by=` + name + `\n`)
			h.AwaitLog(` deaf:0 killed `)
		})
	}
}
