package system_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

// The sample configuration loads as it stands.
func TestSeedLoads(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {}\n")
	path, err := filepath.Abs("testdata/seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if r := h.Run("tmd", "-t", "-c", path); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Errorf("exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// freePort finds a port that nobody listens on at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// realPrograms has every key that the seed's sample uses. The worker is the
// only one that is not a Debian package: it notes its umask and ends on USR1.
const realPrograms = `
programs:
  nginx:
    cmd: "%s -c %%(here)s/nginx.conf -g 'daemon off;'"
    numprocs: 1
    umask: 022
    workingdir: "%%(here)s"
    autostart: true
    autorestart: unexpected
    exitcodes:
      - 0
      - 2
    startretries: 3
    starttime: 1
    stopsignal: TERM
    stoptime: 10
    stdout: "%%(here)s/nginx.stdout"
    stderr: "%%(here)s/nginx.stderr"
    env:
      STARTED_BY: taskmaster
      ANSWER: 42
  redis:
    cmd: "%s --bind 127.0.0.1 --port %d --dir %%(here)s --save '' --appendonly no"
    numprocs: 1
    umask: 022
    workingdir: "%%(here)s"
    autostart: true
    autorestart: unexpected
    exitcodes: 0
    startretries: 3
    starttime: 1
    stopsignal: TERM
    stoptime: 10
    stdout: "%%(here)s/redis.stdout"
    stderr: "%%(here)s/redis.stderr"
    env:
      STARTED_BY: taskmaster
      ANSWER: 42
  worker:
    cmd: [sh, "%%(here)s/worker.sh", "%%(process_num)d"]
    numprocs: 8
    umask: 077
    workingdir: "%%(here)s"
    autostart: true
    autorestart: unexpected
    exitcodes: 0
    startretries: 3
    starttime: 1
    stopsignal: USR1
    stoptime: %d
    stdout: "%%(here)s/worker.stdout"
    stderr: "%%(here)s/worker.stderr"
`

const worker = `trap 'echo ended $1 by USR1; exit 0' USR1
: >made.$1
while :; do sleep 1000 & wait; done
`

const nginxConf = `pid %[1]s/nginx.pid;
error_log stderr;
worker_processes 2;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server { listen 127.0.0.1:%[2]d; location / { return 200 "served by nginx\n"; } }
}
`

// Debian's nginx and redis beside a program of 8 instances: they serve, come
// back from SIGKILL, keep their pids over a reload of another, and leave
// nothing behind.
func TestRealPrograms(t *testing.T) {
	t.Parallel()
	nginx := tmtest.Need(t, "nginx", "nginx")
	redis := tmtest.Need(t, "redis-server", "redis-server")
	tmtest.Need(t, "redis-cli", "redis-tools")
	web, db := freePort(t), freePort(t)
	programs := func(stoptime int, more string) string {
		return fmt.Sprintf(realPrograms, nginx, redis, db, stoptime) + more
	}
	h := tmtest.NewHost(t, programs(10, ""))
	h.File("nginx.conf", fmt.Sprintf(nginxConf, h.Dir, web))
	h.File("worker.sh", worker)
	d := h.Start()
	h.OK("wait", "-t", "80", "all", "running")
	fetch(t, web)
	setAndGet(t, h, db)
	checkWorkers(t, h)

	killed := h.PID("nginx:0")
	children := childrenOf(t, killed)
	if len(children) != 2 {
		t.Fatalf("nginx has %d workers", len(children))
	}
	if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.AwaitLog(fmt.Sprintf(` nginx:0 exited pid=%d signal=KILL \S+ ?expected=no uptime=\S+ left=2`, killed))
	tmtest.Until(t, func() bool { return h.Status("nginx:0").PID != killed && h.Status("nginx:0").State == "RUNNING" }, "nginx is back")
	fetch(t, web)
	for _, pid := range children {
		if lives(pid) {
			t.Errorf("worker %d of the killed nginx lives", pid)
		}
	}

	pids := pidsOf(h)
	h.Write(strings.Replace(programs(10, ""), "[sh, \"%(here)s/worker.sh\"", "[/bin/sh, \"%(here)s/worker.sh\"", 1))
	h.OK("reload")
	for name, now := range pidsOf(h) {
		if changed := strings.HasPrefix(name, "worker:"); (now != pids[name]) != changed {
			t.Errorf("%s had pid %d, has %d", name, pids[name], now)
		}
	}
	if ended := strings.Count(h.Read("worker.stdout"), "by USR1\n"); ended != 8 {
		t.Errorf("%d workers ended by USR1, want 8", ended)
	}
	fetch(t, web)
	setAndGet(t, h, db)
	d.Stop()
	for _, port := range []int{web, db} {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			t.Errorf("port %d is still taken: %v", port, err)
		} else {
			l.Close()
		}
	}
}

func fetch(t *testing.T, port int) {
	t.Helper()
	// A connection of its own: the last nginx's may still be open.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var text []byte
	tmtest.Until(t, func() bool {
		r, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err != nil {
			return false
		}
		defer r.Body.Close()
		text, err = io.ReadAll(r.Body)
		return err == nil && r.StatusCode == http.StatusOK
	}, "nginx answers")
	if string(text) != "served by nginx\n" {
		t.Errorf("nginx served %q", text)
	}
}

func setAndGet(t *testing.T, h *tmtest.Host, port int) {
	t.Helper()
	cli := func(args ...string) string {
		r := h.RunCommand(exec.Command("redis-cli", append([]string{"-h", "127.0.0.1", "-p", fmt.Sprint(port)}, args...)...))
		return strings.TrimSpace(r.Stdout)
	}
	tmtest.Until(t, func() bool { return cli("ping") == "PONG" }, "redis answers")
	if got := cli("set", "key", "value"); got != "OK" {
		t.Errorf("set: %q", got)
	}
	if got := cli("get", "key"); got != "value" {
		t.Errorf("get: %q", got)
	}
}

// checkWorkers holds the umask of 8 workers by the files they made.
func checkWorkers(t *testing.T, h *tmtest.Host) {
	t.Helper()
	for n := range 8 {
		info, err := os.Stat(fmt.Sprintf("%s/made.%d", h.Dir, n))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("worker %d made a file of mode %o", n, mode)
		}
	}
	info, err := os.Stat(h.Dir + "/nginx.pid")
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o644 {
		t.Errorf("nginx made a file of mode %o", mode)
	}
}

func pidsOf(h *tmtest.Host) map[string]int {
	pids := map[string]int{}
	for text := range strings.Lines(h.OK("status", "-p")) {
		name, _, _ := strings.Cut(text, "\t")
		pids[name] = h.PID(name)
	}
	return pids
}
