package main

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// timeout(1) hands a signal to its command twice, the second time by way of
// the process group. That is one request: the program may wind down.
func TestAloneUnderTimeout(t *testing.T) {
	t.Parallel()
	program := `trap "sleep 0.2; exit 7" TERM; echo ready; while :; do sleep 0.05; done`
	cmd := exec.Command("timeout", "1000", helperPath, "-n", "web", "-s", "0", "--", "sh", "-c", program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var events strings.Builder
	cmd.Stdout = &events
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(unix.SIGTERM) })
	said := bufio.NewReader(stderr)
	if line, err := said.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the program said %q, %v", line, err)
	}
	cmd.Process.Signal(unix.SIGTERM)
	io.Copy(io.Discard, said)
	cmd.Wait()
	if got := events.String(); strings.Contains(got, " killed ") || !strings.Contains(got, " stopped pid=") || !strings.Contains(got, " code=7 ") {
		t.Errorf("not an orderly stop:\n%s", got)
	}
}
