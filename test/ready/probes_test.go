package ready_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

func cmdline(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.TrimSuffix(strings.ReplaceAll(string(text), "\x00", " "), " ")
}

// A page is an HTTP server whose answers the test chooses.
type page struct {
	*httptest.Server
	status atomic.Int64
	asked  atomic.Int64
}

func newPage(t *testing.T, status int) *page {
	p := &page{}
	p.status.Store(int64(status))
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		w.WriteHeader(int(p.status.Load()))
	}))
	t.Cleanup(p.Close)
	return p
}

// TestNotReadyInTime: the reason names what was asked and the answer.
func TestNotReadyInTime(t *testing.T) {
	t.Parallel()
	p, port, babbler := newPage(t, 503), freePort(t), babble(t)
	h := tmtest.NewHost(t, `
defaults: {cmd: sleep 1000, autorestart: never}
programs:
  http: {ready: {http: "`+p.URL+`/health?x=1", timeout: 0.3, interval: 20ms}}
  babbler: {ready: {http: "http://`+babbler+`/", timeout: 0.3, interval: 20ms}}
  tcp: {ready: {tcp: "127.0.0.1:`+port+`", timeout: 0.3, interval: 20ms}}
  cmd: {ready: {cmd: "sh -c 'exit 7'", timeout: 0.3, interval: 20ms}}
  hung: {ready: {cmd: "sleep 4711", timeout: 0.3, interval: 20ms}}
  missing: {ready: {cmd: /no/such/probe, timeout: 0.3, interval: 20ms}}
  notify: {ready: {notify: 3, timeout: 0.3}}
`)
	d := h.Start()
	for name, want := range map[string]string{
		"http":    ": GET " + p.URL + "/health?x=1: 503",
		"babbler": ": GET http://" + babbler + `/: malformed HTTP response "` + strings.Repeat("x", 372) + "...",
		"tcp":     ": connect 127.0.0.1:" + port + ": connection refused",
		"cmd":     ": sh: exit 7",
		"hung":    ": sleep: timed out",
		"missing": ": /no/such/probe: no such file",
		"notify":  "",
	} {
		h.Await("FATAL", name+":0")
		awaitDetail(h, name+":0", "not ready within 0.3 s"+want)
	}
	h.AwaitLog(` tcp:0 fatal try=1 reason=not%20ready%20within%200.3%20s:%20connect%20127.0.0.1:` + port + `:%20connection%20refused\n`)
	d.Stop()
}

// babble answers each connection with one endless line.
func babble(t *testing.T) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Write([]byte(strings.Repeat("x", 20_000) + "\n"))
			c.Close()
		}
	}()
	return l.Addr().String()
}

// TestReadyIsRunning: STARTING lasts until the program is ready and no longer,
// whatever starttime says, and its detail is what is still missing.
func TestReadyIsRunning(t *testing.T) {
	t.Parallel()
	p := newPage(t, 404)
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, starttime: 3600, ready: {http: "`+p.URL+`/", status: 204, interval: 10ms}}
`)
	d := h.Start()
	awaitDetail(h, "web:0", "GET "+p.URL+"/: 404")
	if s := h.Status("web:0"); s.State != "STARTING" {
		t.Errorf("web:0 is %s", s.State)
	}
	p.status.Store(204)
	h.OK("wait", "web", "running")
	asked := p.asked.Load()
	h.OK("stop", "web")
	if p.asked.Load() > asked {
		t.Error("it was probed after it had been found ready")
	}
	d.Stop()
}

// TestAnswersOfEarlierProcess: what was found of another process makes this
// one neither ready nor sick.
func TestAnswersOfEarlierProcess(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, ready: {tcp: "127.0.0.1:`+freePort(t)+`", interval: 1h}}
`)
	d := h.Start()
	earlier := starting(h, "web:0")
	h.OK("restart", "-n", "web")
	tmtest.Until(t, func() bool { s := h.Status("web:0"); return s.State == "STARTING" && s.PID != 0 && s.PID != earlier }, "web:0 starts anew")
	pid := h.PID("web:0")
	seen := func(word string) {
		command(h, "web:0", "pending %d %s", pid, word)
		tmtest.Until(t, func() bool { return h.Status("web:0").Detail == word }, "the helper came to %s", word)
	}
	tmtest.Until(t, func() bool { return strings.HasPrefix(h.Status("web:0").Detail, "connect") }, "tmd has probed it, once")
	command(h, "web:0", "ready %d", earlier)
	command(h, "web:0", "late %d gone", earlier)
	command(h, "web:0", "ready")
	command(h, "web:0", "ready -1")
	seen("first")
	if s := h.Status("web:0"); s.State != "STARTING" || s.PID != pid {
		t.Errorf("web:0 is %s, pid %d", s.State, s.PID)
	}
	command(h, "web:0", "ready %d", pid)
	h.Await("RUNNING", "web:0")
	command(h, "web:0", "sick %d gone", earlier)
	command(h, "web:0", "sick %d unhealthy", pid)
	h.AwaitLog(fmt.Sprintf(` web:0 stopping pid=%d signal=TERM reason=unhealthy\n`, pid))
	d.Stop()
}

// TestCheckRestarts: after so many failures in a row it is stopped and started
// again, and healthy when it recovers.
func TestCheckRestarts(t *testing.T) {
	t.Parallel()
	p := newPage(t, 200)
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, starttime: 0, check: {http: "`+p.URL+`/health", interval: 10ms}}
`)
	d := h.Start()
	tmtest.Until(t, func() bool { return p.asked.Load() > 3 }, "it is checked")
	if n := times(h, " web:0 (un)?healthy"); n != 0 {
		t.Errorf("%d events of a healthy program", n)
	}
	pid := h.PID("web:0")
	p.status.Store(503)
	h.AwaitLog(` web:0 unhealthy reason=3%20checks%20failed:%20GET%20/health:%20503 action=restart\n`)
	h.AwaitLog(fmt.Sprintf(` web:0 exited pid=%d signal=TERM core=no expected=no .*reason=unhealthy:%%203%%20checks%%20failed:%%20GET%%20/health:%%20503 cause=check\n`, pid))
	p.status.Store(200)
	h.AwaitLog(` web:0 healthy\n`)
	h.Await("RUNNING", "web:0")
	if s := h.Status("web:0"); s.Restarts < 1 || s.PID == pid {
		t.Errorf("after its restart: pid %d, was %d, %d restarts", s.PID, pid, s.Restarts)
	}
	d.Stop()
}

// TestCheckReports only tells, once.
func TestCheckReports(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, starttime: 0, check: {tcp: "`+address+`", interval: 10ms, failures: 2, action: report}}
  sum: {cmd: sleep 1000, starttime: 0, check: {cmd: "sh -c 'echo >>%(here)s/asked'", interval: 10ms}}
`)
	d := h.Start()
	h.Await("RUNNING", "web:0")
	pid := h.PID("web:0")
	l.Close()
	awaitDetail(h, "web:0", "unhealthy: 2 checks failed: connect "+address+": connection refused")
	asked := len(h.Read("asked"))
	tmtest.Until(t, func() bool { return len(h.Read("asked")) > asked+10 }, "more checks were made")
	if n := times(h, " web:0 unhealthy "); n != 1 {
		t.Errorf("unhealthy was told %d times", n)
	}
	d.Kill()
	asked = len(h.Read("asked"))
	d = h.Start()
	awaitDetail(h, "web:0", "unhealthy: 2 checks failed: connect "+address+": connection refused")
	tmtest.Until(t, func() bool { return len(h.Read("asked")) > asked+10 }, "more checks were made")
	if n := times(h, " web:0 unhealthy "); n != 1 {
		t.Errorf("unhealthy was told %d times over a restart of tmd", n)
	}
	d.Kill()
	l, err = net.Listen("tcp", address)
	must(t, err)
	defer l.Close()
	d = h.Start()
	h.AwaitLog(` web:0 healthy\n`)
	awaitDetail(h, "web:0", "-")
	if now := h.PID("web:0"); now != pid {
		t.Errorf("web:0 has pid %d, had %d", now, pid)
	}
	d.Stop()
}

// TestProbesLeaveNothing: neither a command that hangs nor what one puts into
// a session of its own outlives the probe; and it runs as the program's user.
func TestProbesLeaveNothing(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {}\n")
	config := `
programs:
  web: {cmd: sleep 1000, user: nobody, workingdir: /tmp, env: {WHO: web}, ready: {cmd: "%(here)s/probe"}, check: {cmd: "%(here)s/hangs", timeout: 50ms, interval: 10ms, failures: 3, action: report}}
`
	h.Write(config)
	script(t, h, "probe", `setsid sleep 4712 & sleep 4713 &
(setsid setsid sleep 4714 &)
echo "$(id -un) $PWD $WHO $TM_NAME" >`+h.Dir+`/out/who`)
	script(t, h, "hangs", `setsid sleep 4715 & exec sleep 4716`)
	must(t, os.Mkdir(h.Dir+"/out", 0o777))
	must(t, os.Chmod(h.Dir+"/out", 0o777))
	d := h.Start()
	h.Await("RUNNING", "web:0")
	if got := h.Read("out/who"); got != "nobody /tmp web web:0\n" {
		t.Errorf("the probe ran as %q", got)
	}
	awaitDetail(h, "web:0", "unhealthy: 3 checks failed: "+h.Dir+"/hangs: timed out")
	h.Write("programs:\n  web: {cmd: sleep 1000, user: nobody, workingdir: /tmp, env: {WHO: web}}\n")
	h.OK("reload")
	tmtest.Until(t, func() bool {
		for _, pid := range h.Leftovers() {
			if strings.HasPrefix(cmdline(pid), "sleep 47") {
				return false
			}
		}
		return true
	}, "nothing of the probes is left")
	d.Stop()
}

func script(t *testing.T, h *tmtest.Host, name, text string) {
	t.Helper()
	must(t, os.Chmod(h.File(name, "#!/bin/sh\n"+text+"\n"), 0o755))
}

// TestReloadOfReady: a reload that has a program probed which is STARTING holds
// for it: it is RUNNING when it is ready, and has failed when it is not in time.
func TestReloadOfReady(t *testing.T) {
	t.Parallel()
	const plain = "defaults: {cmd: sleep 1000, starttime: 1h, autorestart: never}\nprograms:\n"
	h := tmtest.NewHost(t, plain+"  well: {}\n  never: {}\n")
	d := h.Start()
	h.Await("STARTING", "well:0", "never:0")
	pid := h.PID("well:0")
	h.Write(plain + "  well: {ready: {cmd: 'true'}}\n  never: {ready: {cmd: 'false', timeout: 50ms, interval: 10ms}}\n")
	h.OK("reload")
	h.Await("RUNNING", "well:0")
	if h.PID("well:0") != pid {
		t.Error("it was restarted")
	}
	h.Await("FATAL", "never:0")
	d.Stop()
}

// TestOnlyReadyFd: of a program with notify the descriptor is the only one
// beyond 0, 1 and 2, also where an exec stage prepares it.
func TestOnlyReadyFd(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  plain: {cmd: "sh -c 'echo >&7; exec sleep 1000'", ready: {notify: 7}}
  staged: {cmd: "sh -c 'echo >&5; exec sleep 1000'", nice: 5, ready: {notify: 5}}
`)
	d := h.Start()
	for name, want := range map[string]string{"plain:0": "0 1 2 7", "staged:0": "0 1 2 5"} {
		h.Await("RUNNING", name)
		tmtest.Until(t, func() bool { return strings.HasPrefix(cmdline(h.PID(name)), "sleep") }, "%s executes sleep", name)
		got := "" // for a while also what its loader opens
		tmtest.Until(t, func() bool {
			names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", h.PID(name)))
			must(t, err)
			for i := range names {
				names[i] = filepath.Base(names[i])
			}
			got = strings.Join(names, " ")
			return got == want
		}, "%s has the descriptors %s and no other", name, want)
	}
	d.Signal(syscall.SIGTERM)
	d.Wait()
}
