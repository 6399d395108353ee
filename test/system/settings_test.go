package system_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/test/tmtest"
)

// The state directory is where the running programs are described: it cannot
// change while tmd runs, and the rest of such a file is not applied either.
func TestStateCannotChange(t *testing.T) {
	t.Parallel()
	config := func(state, keys string) string {
		return fmt.Sprintf("programs: {web: {cmd: sleep 1000, starttime: 0%s}}\ntaskmaster: {listen: 127.0.0.1:0, state: '%%(here)s/%s'}\n", keys, state)
	}
	h := tmtest.NewHost(t, config("state", ""))
	d := h.Launch(exec.Command(tmtest.Bin("tmd"), "-c", h.Config))
	d.AwaitUp()
	h.Await("RUNNING", "web:0")
	pid := h.PID("web:0")
	h.Write(config("elsewhere", ", umask: 77"))
	for _, args := range [][]string{{"reload", "-n"}, {"reload"}} {
		if r := h.Ctl(args...); r.Code != 1 || !strings.Contains(r.Stderr, "the state directory cannot change") {
			t.Errorf("%v: exit %d\n%s", args, r.Code, r.Stderr)
		}
	}
	h.AwaitLog(` tmd reloadfail by=\S+ reason=the%20state%20directory%20cannot%20change`)
	if h.PID("web:0") != pid {
		t.Error("the program was restarted")
	}
	d.Stop()
}

// A limit that is too low for the file is named before it is hit.
func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {web: {cmd: sleep 1000, numprocs: 200, autostart: false}}\n")
	d := h.StartBy([]string{"sh", "-c", `ulimit -n 450; exec "$@"`, "sh"})
	if said := d.Stderr(); !strings.Contains(said, "tmd: warning: RLIMIT_NOFILE is 450, 200 instances need about ") {
		t.Errorf("tmd said %q", said)
	}
	d.Signal(9)
	d.Wait()
}

// A program that dies at once for ever is started once a second, never
// faster.
func TestOneStartASecond(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `programs: {web: {cmd: "false", autorestart: always, starttime: 0}}`)
	d := h.Start()
	h.AwaitLog(`(?s)( web:0 starting .*){3}`)
	d.Stop()
	var last time.Time
	for text := range strings.Lines(h.Log()) {
		e, err := event.Parse(strings.TrimSuffix(text, "\n"))
		if err != nil || e.Name != "web:0" || e.Kind != event.Starting {
			continue
		}
		// The event is made after the start: two may come a little closer.
		if !last.IsZero() && e.Time.Sub(last) < 900*time.Millisecond {
			t.Errorf("started after %v", e.Time.Sub(last))
		}
		last = e.Time
	}
}
