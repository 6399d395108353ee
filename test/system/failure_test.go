package system_test

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

// cannotExecute is each way in which a program cannot be executed, and how
// that is said.
var cannotExecute = []struct{ name, keys, reason string }{
	{"nofile", `cmd: /nonexistent/web`, `cannot execute /nonexistent/web: no such file`},
	{"inpath", `cmd: no-such-command, env: {PATH: "/usr/bin:/bin"}`, `cannot execute no-such-command: no such file in PATH /usr/bin:/bin`},
	{"dir", `cmd: /etc`, `cannot execute /etc: is a directory`},
	{"mode", `cmd: "%(here)s/mode"`, `cannot execute \S+/mode: not executable`},
	{"interpreter", `cmd: "%(here)s/interpreter"`, `cannot execute \S+/interpreter: bad interpreter /nonexistent/sh: no such file`},
	{"format", `cmd: "%(here)s/format"`, `cannot execute \S+/format: a program for another kind of machine, or a damaged one`},
	{"loop", `cmd: "%(here)s/loop"`, `cannot execute \S+/loop: too many levels of symbolic links`},
	{"workingdir", `cmd: sleep 1000, workingdir: /nonexistent/dir`, `cannot change to directory /nonexistent/dir: no such file`},
	{"stdout", `cmd: sleep 1000, stdout: /nonexistent/log`, `cannot open log /nonexistent/log: no such file`},
	{"stderr", `cmd: sleep 1000, stderr: /etc`, `cannot open log /etc: is a directory`},
}

// What cannot be executed is a failed start, whose reason names the path, in
// status, event and log; straight and by way of an exec stage.
func TestCannotExecute(t *testing.T) {
	t.Parallel()
	for way, extra := range map[string]string{"straight": "", "staged": ", nice: 1"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			config := "defaults: {startretries: 1, backoff: {first: 20ms, max: 20ms}}\nprograms:\n"
			for _, c := range cannotExecute {
				config += "  " + c.name + ": {" + c.keys + extra + "}\n"
			}
			h := tmtest.NewHost(t, config+"  fine: {cmd: sleep 1000, starttime: 0}\n")
			h.File("mode", "#!/bin/sh\n")
			executable(t, h.File("interpreter", "#!/nonexistent/sh\n"))
			executable(t, h.File("format", "\x7fELF but not really"))
			if err := os.Symlink("loop", h.Dir+"/loop"); err != nil {
				t.Fatal(err)
			}
			d := h.Start()
			h.Await("RUNNING", "fine:0")
			for _, c := range cannotExecute {
				name := c.name + ":0"
				h.Await("FATAL", name)
				if detail := h.Status(name).Detail; !regexp.MustCompile("^" + c.reason + `, gave up after 2 starts$`).MatchString(detail) {
					t.Errorf("%s: status says %q, want %s", name, detail, c.reason)
				}
				h.AwaitLog(` ` + name + ` backoff try=1 wait=0\.02\d* reason=cannot%20`)
				h.AwaitLog(` ` + name + ` fatal try=2 reason=cannot%20`)
			}
			d.Stop()
		})
	}
}

func executable(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Want of a resource is no failed start: BACKOFF says which, no retry is used
// up, and it starts when there is enough again. ETXTBSY is such a want.
func TestTextFileBusy(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  busy: {cmd: "%(here)s/busy 1000", startretries: 0, starttime: 0, backoff: {first: 50ms, max: 50ms}}
`)
	out, err := os.OpenFile(h.Dir+"/busy", os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	sleep, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer sleep.Close()
	if _, err := io.Copy(out, sleep); err != nil {
		t.Fatal(err)
	}
	d := h.Start()
	h.AwaitLog(`(?s)( busy:0 backoff try=0 wait=\S+ reason=\S*text%20file%20busy\S*\n.*){3}`)
	if s := h.Status("busy:0"); s.Try != 0 || s.State == "FATAL" {
		t.Errorf("%s", s.Line())
	}
	out.Close()
	h.Await("RUNNING", "busy:0")
	d.Stop()
}

// When a helper cannot fork for its user's limit of processes its program is
// in BACKOFF with that reason, uses up no retry, and the others go on.
func TestForkFails(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, starttime: 0, startretries: 0, backoff: {first: 50ms, max: 50ms}}
  other: {cmd: sleep 1000, starttime: 0}
`)
	// A user of this test alone, since the limit counts all of a user's
	// processes; root has none.
	const uid = 54321
	if err := os.Chown(h.Dir, uid, uid); err != nil {
		t.Fatal(err)
	}
	h.As = []string{"setpriv", "--reuid", strconv.Itoa(uid), "--regid", strconv.Itoa(uid), "--clear-groups", "--"}
	d := h.Start()
	h.Await("RUNNING", "web:0", "other:0")
	other := h.PID("other:0")
	limitProcesses(t, h, h.Helper("web:0"), "1")
	if err := syscall.Kill(h.PID("web:0"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.AwaitLog(`(?s)( web:0 backoff try=0 wait=\S+ reason=\S*resource%20temporarily%20unavailable\S*\n.*){3}`)
	if s := h.Status("web:0"); s.Try != 0 || s.State == "FATAL" {
		t.Errorf("%s", s.Line())
	}
	if r := h.Ctl("status", "-p", "web"); r.Code != 3 {
		t.Errorf("status: exit %d\n%s", r.Code, r.Stdout)
	}
	if h.PID("other:0") != other {
		t.Error("the other program was restarted")
	}
	limitProcesses(t, h, h.Helper("web:0"), "10000")
	h.Await("RUNNING", "web:0")
	d.Signal(syscall.SIGTERM)
	if code := d.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	h.NothingLeft()
}

// limitProcesses sets the soft RLIMIT_NPROC of a process, as the user whose it
// is: root may not have CAP_SYS_RESOURCE in a container.
func limitProcesses(t *testing.T, h *tmtest.Host, pid int, most string) {
	t.Helper()
	argv := slices.Concat(h.As, []string{"prlimit", "--pid", strconv.Itoa(pid), "--nproc=" + most + ":"})
	if r := h.RunCommand(exec.Command(argv[0], argv[1:]...)); r.Code != 0 {
		t.Fatalf("prlimit: %s", r.Stderr)
	}
}

// A tmd whose helpers cannot be found says so and keeps serving.
func TestWithoutHelpers(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {web: {cmd: sleep 1000}}\n")
	alone := h.Dir + "/bin"
	if r := h.RunCommand(exec.Command("sh", "-c", `mkdir "$1" && cp "$2" "$1"`, "sh", alone, tmtest.Bin("tmd"))); r.Code != 0 {
		t.Fatal(r.Stderr)
	}
	d := h.Launch(exec.Command("env", "PATH=/usr/bin:/bin", alone+"/tmd", "-c", h.Config, "-d", h.State))
	d.AwaitUp()
	tmtest.Until(t, func() bool {
		return regexp.MustCompile(`tmd: warning: unable to start the helper of web:0: no such file`).MatchString(d.Stderr())
	}, "tmd says that it has no helper")
	d.Signal(syscall.SIGKILL)
	d.Wait()
}
