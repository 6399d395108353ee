package system_test

import (
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"taskmaster/lib/procfs"
	"taskmaster/test/tmtest"
)

func isZombie(pid int) bool {
	s, err := procfs.ReadStat(pid)
	return err == nil && s.Dead()
}

// childrenOf lists the children of a process, zombies too.
func childrenOf(t *testing.T, parent int) []int {
	t.Helper()
	pids, err := procfs.Pids()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, pid := range pids {
		if s, err := procfs.ReadStat(pid); err == nil && s.PPID == parent {
			found = append(found, pid)
		}
	}
	return found
}

// As PID 1 of a container tmd reaps what others leave to it, and TERM stops
// all.
func TestPID1(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, numprocs: 2, starttime: 0}
`)
	d := h.StartBy([]string{"unshare", "--fork", "--pid", "--mount-proc", "--kill-child", "--"})
	h.AwaitLog(` web:0 running `)
	h.AwaitLog(` web:1 running `)
	init := childrenOf(t, d.PID())
	if len(init) != 1 {
		t.Fatalf("children of unshare: %v", init)
	}
	h.AwaitLog(` tmd started pid=1 `)
	helpers := len(childrenOf(t, init[0]))
	// A stranger whose parent ends is PID 1's.
	into := exec.Command("nsenter", "-t", strconv.Itoa(init[0]), "-p", "-m", "sh", "-c",
		"for n in 1 2 3 4 5 6 7 8; do (sleep 0.1 & exec sleep 0.2 & ) ; done")
	if r := h.RunCommand(into); r.Code != 0 {
		t.Fatalf("nsenter: exit %d\n%s", r.Code, r.Stderr)
	}
	tmtest.Until(t, func() bool {
		all := childrenOf(t, init[0])
		for _, pid := range all {
			if isZombie(pid) {
				return false
			}
		}
		return len(all) == helpers
	}, "all strangers are reaped")
	if err := syscall.Kill(init[0], syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := d.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	h.NothingLeft()
	h.AwaitLog(` tmd stopped\n`)
}
