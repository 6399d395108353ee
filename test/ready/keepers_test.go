package ready_test

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"taskmaster/lib/statedir"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// atGate is a program that says that it is ready once a gate was opened.
const atGate = `{cmd: "sh -c 'read x <%(here)s/gate; echo >&3; exec sleep 1000'", ready: {notify: 3}}`

// TestWaitingOutlivesKeepers kills tmd and helpers while instances wait, one
// by the configuration, one because a user started it.
func TestWaitingOutlivesKeepers(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  db: `+atGate+`
  web: {cmd: sleep 1000, starttime: 0, after: [db]}
  app: {cmd: sleep 1000, starttime: 0, after: [db], autostart: false}
  never: {cmd: sleep 1000, after: [db], autostart: false}
`)
	gate := newGate(t, h, "gate")
	d := h.Start()
	pid := starting(h, "db:0")
	h.OK("start", "-n", "app")
	tmtest.Until(t, func() bool { return h.Status("app:0").Wish == statedir.WishUp }, "the helper has the wish")

	d.Kill()
	for _, name := range []string{"db:0", "web:0", "app:0"} {
		must(t, syscall.Kill(h.Helper(name), syscall.SIGKILL))
	}
	d = h.Start()
	awaitDetail(h, "web:0", "waiting for db:0 (STARTING)")
	awaitDetail(h, "app:0", "waiting for db:0 (STARTING)")
	gate.open(1)
	h.Await("RUNNING", "db:0", "web:0", "app:0")
	if now := h.PID("db:0"); now != pid {
		t.Errorf("db:0 has pid %d, had %d", now, pid)
	}
	if s := h.Status("never:0").State; s != "STOPPED" {
		t.Errorf("never:0, which nobody started, is %s", s)
	}
	d.Stop() // from here on the log is whole
	for _, name := range []string{"db:0", "web:0", "app:0"} {
		h.AwaitLog(" " + name + " running ") // which is behind the status
		if n := times(h, " "+name+" starting pid=[1-9]"); n != 1 {
			t.Errorf("%s was started %d times", name, n)
		}
	}
}

// TestStoppedWhileWaiting: a stop ends the wait for good, over a restart of
// tmd too.
func TestStoppedWhileWaiting(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs:\n  db: "+atGate+"\n  web: {cmd: sleep 1000, after: [db]}\n")
	gate := newGate(t, h, "gate")
	d := h.Start()
	h.OK("stop", "web")
	d.Kill()
	d = h.Start()
	gate.open(1)
	h.OK("wait", "db", "running")
	if s := h.Status("web:0"); s.State != "STOPPED" || s.Wish != statedir.WishDown {
		t.Errorf("web:0 is %s, wish %s", s.State, s.Wish)
	}
	d.Stop()
}

// TestStopDuringRestart: of what is being restarted in order, the last wish of
// a user holds, also for what has yet to be stopped.
func TestStopDuringRestart(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
defaults: {starttime: 0}
programs:
  db: {cmd: sleep 1000}
  web: {cmd: "%(here)s/web", stoptime: 1h, after: [db], ready: {notify: 3}}
`)
	gate := newGate(t, h, "gate")
	script(t, h, "web", `trap 'read x <gate; exit 0' TERM
echo >&3
sleep 1000 & wait`)
	d := h.Start()
	h.OK("wait", "web", "running")
	h.OK("restart", "-n", "web", "db")
	h.Await("STOPPING", "web:0")
	h.OK("stop", "-n", "db")
	gate.open(1)
	h.Await("STOPPED", "db:0")
	awaitDetail(h, "web:0", "waiting for db:0 (STOPPED)")
	if wish := h.Status("db:0").Wish; wish != statedir.WishDown {
		t.Errorf("db:0, which a user stopped, has the wish %s", wish)
	}
	d.Stop()
}

// TestReadyWhileNobodyListens kills the helper while tmd is stopped, so that
// the program says that it is ready to nobody; the next helper hears it.
func TestReadyWhileNobodyListens(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs:\n  db: "+atGate+"\n")
	gate := newGate(t, h, "gate")
	d := h.Start()
	pid := starting(h, "db:0")
	d.Signal(syscall.SIGSTOP)
	killHelper(h, "db:0")
	gate.open(1)
	tmtest.Until(t, func() bool { return strings.HasPrefix(cmdline(pid), "sleep") }, "the program went on")
	d.Signal(syscall.SIGCONT)
	h.Await("RUNNING", "db:0")
	if now := h.PID("db:0"); now != pid {
		t.Errorf("db:0 has pid %d, had %d", now, pid)
	}
	d.Stop()
}

// killHelper ends a helper by SIGKILL and waits until it is gone.
func killHelper(h *tmtest.Host, name string) {
	h.T.Helper()
	pid := h.Helper(name)
	start := tmtest.StartOf(pid)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		h.T.Fatalf("%v", err)
	}
	tmtest.Until(h.T, func() bool { return !tmtest.Same(pid, start) }, "the helper of %s ends", name)
}

// TestProbesWaitForTmd: a program whose probes tmd makes does not fail to
// start because tmd was away for longer than its timeout.
func TestProbesWaitForTmd(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, ready: {tcp: "127.0.0.1:`+port+`", timeout: 1s, interval: 50ms}}
`)
	d := h.Start()
	pid := starting(h, "web:0")
	d.Kill()
	began := h.Status("web:0").Began
	tmtest.Until(t, func() bool { return monotonic()-began > 1200 }, "the timeout is over")
	if s := h.Status("web:0"); s.State != "STARTING" {
		t.Fatalf("without tmd web:0 is %s", s.State)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	must(t, err)
	defer l.Close()
	d = h.Start()
	h.Await("RUNNING", "web:0")
	if now := h.PID("web:0"); now != pid {
		t.Errorf("web:0 has pid %d, had %d", now, pid)
	}

	// Ready once, it need not prove it again, whoever dies.
	l.Close()
	d.Kill()
	killHelper(h, "web:0")
	d = h.Start()
	h.AwaitLog(" web:0 adopted pid=")
	if s := h.Status("web:0"); s.State != "RUNNING" || s.PID != pid || !s.Ready {
		t.Errorf("web:0 is %s, pid %d, ready %t", s.State, s.PID, s.Ready)
	}
	d.Stop()
}

// monotonic is CLOCK_MONOTONIC in ms, as status files have it.
func monotonic() int64 {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano() / int64(time.Millisecond)
}

// TestChecksOutliveKeepers: the checks of what runs go on under the next tmd.
func TestChecksOutliveKeepers(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, starttime: 0, check: {cmd: "test -e %(here)s/well", interval: 20ms, failures: 2}}
`)
	h.File("well", "")
	d := h.Start()
	h.Await("RUNNING", "web:0")
	pid := h.PID("web:0")
	d.Kill()
	killHelper(h, "web:0")
	d = h.Start()
	h.AwaitLog(" web:0 adopted ")
	if now := h.PID("web:0"); now != pid {
		t.Errorf("web:0 has pid %d, had %d", now, pid)
	}
	must(t, syscall.Unlink(h.Dir+"/well"))
	h.AwaitLog(` web:0 exited pid=\d+ .*expected=no .*reason=unhealthy:%202%20checks%20failed:%20test:%20exit%201 cause=check`)
	d.Stop()
}
