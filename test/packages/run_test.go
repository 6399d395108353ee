package packages_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

// TestMakeRun does what a new user does: make run, leave the shell, make run
// again, shutdown.
func TestMakeRun(t *testing.T) {
	t.Parallel()
	dir := tree(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	demo := filepath.Join(dir, "examples", "demo.yaml")
	text, err := os.ReadFile(demo)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(demo, []byte(strings.ReplaceAll(string(text), "8042", port)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctl := func(args ...string) *exec.Cmd {
		cmd := exec.Command("bin/tmctl", append([]string{"-c", "examples/demo.yaml"}, args...)...)
		cmd.Dir = dir
		return cmd
	}
	t.Cleanup(func() { ctl("shutdown").Run() })
	shell := func(commands string) string {
		cmd := exec.Command("make", "-s", "run")
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(commands)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("make run: %v\n%s", err, out)
		}
		return string(out)
	}
	pid := regexp.MustCompile(`(?m)^\d+$`)
	first := pid.FindString(shell("wait -t 60 web running\nwait -t 60 worker running\nwait -t 60 broken fatal\npid\nquit\n"))
	if first == "" {
		t.Fatal("the shell printed no process id")
	}
	again := shell("pid\nquit\n")
	if pid.FindString(again) != first {
		t.Errorf("the second make run has another tmd than %s:\n%s", first, again)
	}
	if out, err := ctl("shutdown").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	h := tmtest.NewHost(t, "programs: {}\n")
	h.Dir, h.State = dir, filepath.Join(dir, ".run")
	h.NothingLeft()
}
