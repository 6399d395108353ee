package ready_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/procfs"
	"taskmaster/test/tmtest"
)

// TestRealPrograms: redis asked by its own client and by TCP, and nginx, which
// comes after both, by HTTP.
func TestRealPrograms(t *testing.T) {
	t.Parallel()
	redis := tmtest.Need(t, "redis-server", "redis-server")
	client := tmtest.Need(t, "redis-cli", "redis-tools")
	nginx := tmtest.Need(t, "nginx", "nginx-light")
	store, cache, web := freePort(t), freePort(t), freePort(t)
	h := tmtest.NewHost(t, `
defaults: {workingdir: "%(here)s"}
programs:
  web:
    cmd: `+nginx+` -p %(here)s -c %(here)s/nginx.conf -e stderr
    ready: {http: "http://127.0.0.1:`+web+`/health", status: 204, interval: 20ms}
    check: {http: "http://127.0.0.1:`+web+`/health", interval: 20ms}
    after: [store, cache]
  store:
    cmd: `+redis+` --bind 127.0.0.1 --port `+store+` --save ''
    ready: {cmd: `+client+` -p `+store+` ping, interval: 20ms}
  cache:
    cmd: `+redis+` --bind 127.0.0.1 --port `+cache+` --save ''
    ready: {tcp: "127.0.0.1:`+cache+`", interval: 20ms}
`)
	h.File("nginx.conf", `
daemon off;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server { listen 127.0.0.1:`+web+`; location /health { return 204; } location / { return 200 "up\n"; } }
}
`)
	d := h.Start()
	h.OK("wait", "web", "running")
	answer, err := http.Get("http://127.0.0.1:" + web + "/")
	must(t, err)
	text, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if string(text) != "up\n" {
		t.Errorf("nginx answers %q", text)
	}

	// All keepers die; nothing has to prove itself again.
	pids := []int{h.PID("web:0"), h.PID("store:0"), h.PID("cache:0")}
	d.Kill()
	for _, name := range []string{"web:0", "store:0", "cache:0"} {
		killHelper(h, name)
	}
	d = h.Start()
	for i, name := range []string{"web:0", "store:0", "cache:0"} {
		h.AwaitLog(" " + name + " adopted pid=")
		if s := h.Status(name); s.State != "RUNNING" || s.PID != pids[i] {
			t.Errorf("%s is %s with pid %d, had %d", name, s.State, s.PID, pids[i])
		}
	}
	h.OK("shutdown")
	d.Wait()
	h.NothingLeft()
	for _, name := range []string{"store:0", "cache:0"} {
		inOrder(t, h.Log(), " "+name+" running ", " web:0 starting ")
		inOrder(t, h.Log(), " web:0 stopped ", " "+name+" stopping ")
	}
}

// TestSystemdNotify: systemd's own program says that it is ready. It waits
// until all was heard, and fails when that is not confirmed.
func TestSystemdNotify(t *testing.T) {
	t.Parallel()
	tmtest.Need(t, "systemd-notify", "systemd")
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: "%(here)s/web", ready: {sd_notify: true}, autorestart: never}
  user: {cmd: "%(here)s/user", user: nobody, ready: {sd_notify: true}, autorestart: never}
`)
	gate := newGate(t, h, "gate")
	script(t, h, "web", `set -e
systemd-notify --status='warming up'
read x <gate
systemd-notify --ready --status=serving
exec sleep 1000`)
	script(t, h, "user", `set -e
systemd-notify --ready
exec sleep 1000`)
	d := h.Start()
	awaitDetail(h, "web:0", "warming up")
	pid := h.PID("web:0")

	// The next helper has the same socket.
	killHelper(h, "web:0")
	h.AwaitLog(" web:0 adopted ")
	awaitDetail(h, "web:0", "warming up")

	// What it says while no helper lives is heard by the next one.
	d.Signal(syscall.SIGSTOP)
	killHelper(h, "web:0")
	gate.open(1)
	tmtest.Until(t, func() bool { return saysReady(pid) }, "systemd-notify has begun")
	d.Signal(syscall.SIGCONT)
	h.Await("RUNNING", "web:0", "user:0")
	awaitDetail(h, "web:0", "serving")
	tmtest.Until(t, func() bool { return strings.HasPrefix(cmdline(pid), "sleep") }, "systemd-notify succeeds")
	d.Stop()
}

// saysReady reports whether a script has come to its systemd-notify --ready,
// and that to its wait for a confirmation.
func saysReady(script int) bool {
	for _, pid := range procfs.Children(script) {
		if strings.HasPrefix(cmdline(pid), "systemd-notify --ready") {
			wait, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
			return strings.Contains(string(wait), "poll")
		}
	}
	return !procfs.Exists(script)
}

// TestWatchdog: a shell script that speaks systemd's protocol by socat lives
// as long as it says so.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	tmtest.Need(t, "socat", "socat")
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: "%(here)s/web", ready: {sd_notify: true}, watchdog: 3s, limits: {core: 0}, autorestart: never}
`)
	script(t, h, "web", `say() { printf "$1" | socat -u - "ABSTRACT-SENDTO:${NOTIFY_SOCKET#@}"; }
echo $WATCHDOG_USEC >usec
say 'STATUS=up\nREADY=1\n'
while test -e alive; do say WATCHDOG=1; sleep 0.1; done
exec sleep 1000`)
	h.File("alive", "")
	d := h.Start()
	h.Await("RUNNING", "web:0")
	pid, began := h.PID("web:0"), h.Status("web:0").Began
	killHelper(h, "web:0")
	h.AwaitLog(" web:0 adopted ")
	tmtest.Until(t, func() bool { return monotonic()-began > 4000 }, "the watchdog's time is over")
	if s := h.Status("web:0"); s.State != "RUNNING" || s.PID != pid {
		t.Errorf("web:0 is %s, pid %d, had %d", s.State, s.PID, pid)
	}
	if got := h.Read("usec"); got != "3000000\n" {
		t.Errorf("WATCHDOG_USEC is %q", got)
	}
	must(t, os.Remove(h.Dir+"/alive"))
	h.AwaitLog(` web:0 stopping pid=\d+ signal=ABRT reason=watchdog:%20silent%20for%203%20s\n`)
	h.AwaitLog(` web:0 exited pid=\d+ signal=ABRT core=no expected=no .*reason=watchdog:%20silent%20for%203%20s`)
	h.Await("EXITED", "web:0")
	d.Stop()
}

// TestForeignDatagrams: whoever may not speak for the program is not heard,
// and what makes no sense does nothing.
func TestForeignDatagrams(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, user: daemon, ready: {sd_notify: true}}
`)
	d := h.Start()
	starting(h, "web:0")
	tmtest.Need(t, "socat", "socat")
	socket := "@" + h.Status("web:0").Notify
	script(t, h, "forge", `printf 'READY=1\nSTATUS=forged\n' | socat -u - "ABSTRACT-SENDTO:`+socket[1:]+`"`)
	tmtest.Need(t, "setpriv", "util-linux")
	if r := h.RunCommand(exec.Command("setpriv", "--reuid=65534", "--clear-groups", h.Dir+"/forge")); r.Code != 0 {
		t.Fatalf("the forger was not let in: %s", r.Stderr)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	must(t, err)
	defer syscall.Close(fd)
	say := func(text string) {
		must(t, syscall.Sendto(fd, []byte(text), 0, &syscall.SockaddrUnix{Name: socket}))
	}
	say("")
	say("READY\n=1\n\x00\xff\nREADY=0\nREADY=11\nNOSUCH=1\nFDSTORE=1")
	say(strings.Repeat("STATUS=long ", 1000))
	say("STATUS=heard")
	awaitDetail(h, "web:0", "heard")
	if s := h.Status("web:0"); s.State != "STARTING" {
		t.Errorf("web:0 is %s", s.State)
	}
	say("READY=1")
	h.Await("RUNNING", "web:0")
	d.Stop()
}
