package system_test

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
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
	h.Write(config("./state", ""))
	if r := h.Ctl("reload"); r.Code != 0 {
		t.Errorf("reload with another spelling of the same directory: exit %d, %s", r.Code, r.Stderr)
	}
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

// Whether a secret is asked for changes in place, both ways. tmctl gets in
// before and after, by the state directory and by the file that says already
// what the next reload will bring; a plan that is only shown and a file that
// is refused make no secret.
func TestAuthChanges(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "")
	listen := "127.0.0.1:0"
	config := func(keys string) {
		h.Write("programs: {web: {cmd: sleep 1000, starttime: 0}}\ntaskmaster: {listen: '" + listen + "', state: '" + h.State + "', " + keys + "}\n")
	}
	byFile := func(words ...string) {
		t.Helper()
		r := h.Run("tmctl", append([]string{"-c", h.Config}, words...)...)
		if r.Code != 0 {
			t.Errorf("%v: exit %d\n%s", words, r.Code, r.Stderr)
		}
	}
	config("auth: secret")
	d := h.Start()
	h.OK("wait", "web", "running") // else status exits 3
	for _, keys := range []string{
		"auth: none", "auth: secret, secret: '%(here)s/own'", "auth: none, secret: '%(here)s/own'", "auth: secret", "auth: none",
	} {
		config(keys)
		byFile("reload", "-n")
		byFile("reload")
		byFile("status")
	}
	config("auth: secret, secret: '%(here)s/new'")
	h.OK("reload", "-n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen = taken.Addr().String()
	config("auth: secret")
	if r := h.Ctl("reload"); r.Code != 111 || !strings.Contains(r.Stderr, "address already in use") {
		t.Errorf("exit %d\n%s", r.Code, r.Stderr)
	}
	h.OK("status")
	if h.Read("new")+h.Read("state/secret") != "" {
		t.Error("a secret was made for a file that never held")
	}
	address := strings.TrimSpace(h.Read("state/address"))
	if r := h.Run("tmctl", "-s", address, "-k", h.Dir+"/own", "status"); r.Code != 102 || !strings.Contains(r.Stderr, "asks for no secret") {
		t.Errorf("a server that cannot prove itself: exit %d\n%s", r.Code, r.Stderr)
	}
	d.Stop()
}

// A limit that is too low for the file is named before it is hit.
func TestLimitsAreNamed(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {web: {cmd: sleep 1000, numprocs: 200, autostart: false}}\n")
	limited := []string{"sh", "-c", `ulimit -n 450; exec "$@"`, "sh"}
	const warning = "tmd: warning: RLIMIT_NOFILE is 450, 200 instances need about "
	check := slices.Concat(limited[1:], []string{tmtest.Bin("tmd"), "-c", h.Config, "-t"})
	if r := h.RunCommand(exec.Command(limited[0], check...)); r.Code != 0 || !strings.HasPrefix(r.Stderr, warning) {
		t.Errorf("tmd -t: exit %d\n%s", r.Code, r.Stderr)
	}
	d := h.StartBy(limited)
	if said := d.Stderr(); !strings.Contains(said, warning) {
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
		// The event is made after the start, on a busy machine a good deal after:
		// two may come closer.
		if !last.IsZero() && e.Time.Sub(last) < 500*time.Millisecond {
			t.Errorf("started after %v", e.Time.Sub(last))
		}
		last = e.Time
	}
}
