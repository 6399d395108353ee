package examples_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

// get fetches a page, "" while there is none.
func get(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin+"/webserver", examples+"/webserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h := hostOf(t, "demo.yaml", "8042", port, "%(here)s/../bin", bin, "%(here)s/../.run", "%(here)s/state",
		"sleep $((5 +", "sleep $((1 +", "/ 12", "/ 200")
	h.Start()
	h.Await("RUNNING", append(instances("worker", 4), "web:0")...)
	h.Await("FATAL", "broken:0")
	if detail := h.Status("broken:0").Detail; !strings.Contains(detail, "cannot execute /opt/reports/bin/reportd: no such file") {
		t.Errorf("broken:0: %s", detail)
	}
	if page := get("http://127.0.0.1:" + port + "/"); !strings.Contains(page, "worker:3 running") {
		t.Errorf("the page is %q", page)
	}
	await(h, "state/worker.3.log", `T.*Z job \d+ done`)
	h.AwaitLog(`flaky:0 exited pid=\d+ signal=SEGV`)
	h.AwaitLog(`flaky:0 starting pid=\d+ try=1 cause=auto`)
	stop(h)
}

func TestNginx(t *testing.T) {
	t.Parallel()
	nginx := tmtest.Need(t, "nginx", "nginx")
	port := freePort(t)
	h := hostOf(t, "nginx", "8043", port, "nginx -p", nginx+" -p")
	h.Start()
	h.Await("RUNNING", append(instances("worker", 8), "nginx:0")...)
	if page := get("http://127.0.0.1:" + port + "/"); page != "served by nginx\n" {
		t.Errorf("the page is %q", page)
	}
	await(h, "worker.7.stdout", `worker:7: job 1 done`)
	h.OK("stop", "worker:7")
	await(h, "worker.7.stdout", `worker:7: leaves after job \d+`)
	if info, err := os.Stat(h.Dir + "/worker.7.stdout"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("umask 077: %v %v", info, err)
	}
	syscall.Kill(h.PID("nginx:0"), syscall.SIGKILL)
	h.AwaitLog(`nginx:0 exited pid=\d+ signal=KILL .*left=2`)
	tmtest.Until(t, func() bool { return get("http://127.0.0.1:"+port+"/") != "" }, "nginx serves again")
	stop(h)
}

func TestRedis(t *testing.T) {
	t.Parallel()
	tmtest.Need(t, "redis-server", "redis-server")
	tmtest.Need(t, "redis-cli", "redis-tools")
	port := freePort(t)
	h := hostOf(t, "redis", "6390", port)
	h.Start()
	h.Await("RUNNING", "db:0", "worker:0", "worker:1")
	push := func(job string) {
		if r := h.RunCommand(exec.Command("redis-cli", "-p", port, "rpush", "jobs", job)); r.Code != 0 {
			t.Fatalf("%s%s", r.Stdout, r.Stderr)
		}
	}
	push("one")
	await(h, "worker.log", `T.*Z did one`)
	// The workers lose the database, and are there again when it is.
	syscall.Kill(h.PID("db:0"), syscall.SIGKILL)
	h.AwaitLog(`worker:0 exited pid=\d+ code=1`)
	h.AwaitLog(`db:0 starting pid=\d+ try=1 cause=auto`)
	h.Await("RUNNING", "db:0")
	push("two")
	await(h, "worker.log", `did two`)
	stop(h)
}

// TestUser runs as nobody, when it can, in a home of his own: tmd as from cron,
// tmctl as from a login.
func TestUser(t *testing.T) {
	t.Parallel()
	h := hostOf(t, "user.yaml")
	h.State = h.Dir + "/.taskmaster"
	as := func(runtimeDir, name string, args ...string) *exec.Cmd {
		cmd := exec.Command(tmtest.Bin(name), append([]string{"-c", h.Config}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+h.Dir, "XDG_RUNTIME_DIR="+runtimeDir)
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		return cmd
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(h.Dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	h.Launch(as("", "tmd"))
	h.Await("RUNNING", "notes:0")
	await(h, "logs/notes.log", "keeps notes in "+h.Dir)
	h.Await("EXITED", "sync:0")
	await(h, "logs/sync.log", "synced")
	await(h, ".taskmaster.log", "sync:0 exited")
	if r := h.RunCommand(as(h.Dir, "tmctl", "shutdown")); r.Code != 0 {
		t.Fatalf("exit %d\n%s", r.Code, r.Stderr)
	}
	h.NothingLeft()
}

// nobody is Debian's user of that name.
const nobody = 65534

func TestLogs(t *testing.T) {
	t.Parallel()
	h := hostOf(t, "logs.yaml")
	h.Start()
	await(h, "plain.log", `(?m)^INFO request 1\nDEBUG detail 1\n`)
	await(h, "plain.err", `(?m)^ERROR no answer 5$`)
	await(h, "stamped.log", `(?m)^\S+Z INFO request \d+$`)
	await(h, "stamped.log", `(?m)^\S+Z DEBUG detail 10$`)
	await(h, "shared.log", `(?m)^shared: ERROR no answer 5$`)
	await(h, "each.1.log", `(?m)^each:1 INFO request 1$`)
	await(h, "events.log", `tmd started`)
	tmtest.Until(t, func() bool {
		packed, _ := filepath.Glob(h.Dir + "/rotated.log.2*")
		return len(packed) == 1
	}, "rotated.log.2 is there")
	if strings.Contains(h.Read("stamped.log"), "DEBUG detail 9\n") {
		t.Error("select let DEBUG detail 9 pass")
	}
	stop(h)
}

// TestMail has no server on its port: the mail is composed, spooled and kept
// for a later try. test/mail has a real server.
func TestMail(t *testing.T) {
	t.Parallel()
	h := hostOf(t, "mail.yaml", "localhost:25", "127.0.0.1:"+freePort(t))
	h.Start()
	h.Await("FATAL", "broken:0")
	h.AwaitLog(`tmd mail to=root@localhost subject=\S*broken\S* result=deferred`)
	h.AwaitLog(`tmd mail to=root@localhost subject=\S*crash\S* result=deferred`)
	if spooled, _ := filepath.Glob(h.Dir + "/spool/*"); len(spooled) == 0 {
		t.Error("the spool is empty")
	}
	stop(h)
}
