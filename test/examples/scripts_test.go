package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

// script prepares a script of examples/scripts for running in the directory
// of a host, with the programs on its PATH.
func script(t *testing.T, name string, args ...string) (*tmtest.Host, *exec.Cmd) {
	t.Helper()
	h := tmtest.NewHost(t, "programs: {}\n")
	path, err := filepath.Abs(filepath.Join(examples, "scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "HERE", h.Dir)
	}
	// A sendmail that keeps what it gets.
	mailer := h.File("sendmail", "#!/bin/sh\ncat >>"+h.Dir+"/mail\n")
	if err := os.Chmod(mailer, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{path}, args...)...)
	cmd.Dir = h.Dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(tmtest.Bin("tmd"))+":"+os.Getenv("PATH"),
		"SPOOL="+h.Dir+"/spool", "MAILER="+mailer, "WAIT=1")
	return h, cmd
}

// background starts a script; the function it returns ends it by SIGTERM and
// waits for it.
func background(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { cmd.Wait(); close(over) }()
	return func() {
		cmd.Process.Signal(syscall.SIGTERM)
		tmtest.Until(t, func() bool {
			select {
			case <-over:
				return true
			default:
				return false
			}
		}, "%v ends: %s", cmd.Args, &out)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	h, cmd := script(t, "keep.sh", "web", "HERE/log", "sh", "-c", "echo up; exec sleep 1000")
	end := background(t, cmd)
	await(h, "log/web.log", `(?m)^\S+Z up$`)
	await(h, "log/web.events", `web starting pid=(\d+)`)
	pid := regexp.MustCompile(`starting pid=(\d+)`).FindStringSubmatch(h.Read("log/web.events"))[1]
	if out, err := exec.Command("kill", "-KILL", pid).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	await(h, "log/web.log", `up\n(.*\n)*.* up\n`)
	end()
	await(h, "log/web.events", `web stopped`)
	h.NothingLeft()
}

func TestJob(t *testing.T) {
	t.Parallel()
	h, cmd := script(t, "job.sh", "ops@example.org", "backup", "sh", "-c", "exit 7")
	if r := h.RunCommand(cmd); r.Code != 0 {
		t.Fatalf("exit %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if mail := h.Read("mail"); !strings.Contains(mail, "backup exited 7") {
		t.Errorf("the mail is\n%s", mail)
	}
	good, cmd := script(t, "job.sh", "ops@example.org", "backup", "true")
	if r := good.RunCommand(cmd); r.Code != 0 || good.Read("mail") != "" {
		t.Errorf("a job that succeeds: exit %d, mail %q", r.Code, good.Read("mail"))
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	h, cmd := script(t, "retry.sh", "3", "sh", "-c", "echo x >>HERE/tries; [ $(wc -l <HERE/tries) = 2 ]")
	if r := h.RunCommand(cmd); r.Code != 0 || h.Read("tries") != "x\nx\n" {
		t.Errorf("exit %d, tries %q\n%s", r.Code, h.Read("tries"), r.Stderr)
	}
	h, cmd = script(t, "retry.sh", "0", "false")
	if r := h.RunCommand(cmd); r.Code != 111 {
		t.Errorf("exit %d, want 111", r.Code)
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	h, cmd := script(t, "together.sh", "exec sleep 1000", "echo HERE/x; read line <HERE/fifo; exit 3")
	if err := syscall.Mkfifo(h.Dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	end := background(t, cmd)
	if err := os.WriteFile(h.Dir+"/fifo", []byte("go on\n"), 0); err != nil {
		t.Fatal(err)
	}
	tmtest.Until(t, func() bool { return len(h.Leftovers()) == 0 }, "both are gone")
	end()

	h, cmd = script(t, "together.sh", "echo >HERE/one; exec sleep 1000", "echo >HERE/two; exec sleep 1000")
	end = background(t, cmd)
	await(h, "one", "\n")
	await(h, "two", "\n")
	end()
	h.NothingLeft()
}

func TestHook(t *testing.T) {
	t.Parallel()
	h, cmd := script(t, "hook.sh", "HERE/hook", "web", "true")
	hook := h.File("hook", "#!/bin/sh\necho \"$@\" >>"+h.Dir+"/heard\n")
	if err := os.Chmod(hook, 0o755); err != nil {
		t.Fatal(err)
	}
	if r := h.RunCommand(cmd); r.Code != 0 {
		t.Fatalf("exit %d\n%s", r.Code, r.Stderr)
	}
	for _, want := range []string{`web starting pid=\d+ try=1 cause=boot`, `web exited pid=\d+ code=0 expected=yes`} {
		if !regexp.MustCompile(want).MatchString(h.Read("heard")) {
			t.Errorf("no %s in\n%s", want, h.Read("heard"))
		}
	}
}

func TestAlarm(t *testing.T) {
	t.Parallel()
	h, cmd := script(t, "alarm.sh", "ops@example.org", "HERE/app.log", "disk (full|broken)")
	log := h.File("app.log", "")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	background(t, cmd)
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	// tail may not have opened the log yet, so the lines come until one is heard.
	tmtest.Until(t, func() bool {
		f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		f.WriteString("all is well\nthe disk full = 100%\n")
		return strings.Contains(h.Read("mail"), "the disk full = 100%")
	}, "a mail comes")
	if strings.Contains(h.Read("mail"), "all is well") {
		t.Error("a line that does not match was mailed")
	}
}

// TestAllScripts holds that each script has a test here.
func TestAllScripts(t *testing.T) {
	t.Parallel()
	tests := read(t, "scripts_test.go")
	scripts, err := filepath.Glob(filepath.Join(examples, "scripts", "*.sh"))
	if err != nil || len(scripts) < 5 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	list := read(t, filepath.Join(examples, "scripts", "README"))
	for _, path := range scripts {
		if name := filepath.Base(path); !strings.Contains(tests, `"`+name+`"`) || !strings.Contains(list, name) {
			t.Errorf("%s has no test or is not in README", name)
		}
	}
}
