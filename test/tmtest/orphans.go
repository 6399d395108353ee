package tmtest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes the test take the part of init for what killed keepers
// leave: PID 1 of many a container waits for nobody, and then nobody ever
// learns how an orphan ended. The test's own children, which have its session
// or were started by os/exec, are left to those who started them.
func adoptOrphans() {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "unable to become a subreaper:", err)
		os.Exit(1)
	}
	self, err := procfs.ReadStat(os.Getpid())
	if err != nil {
		fmt.Fprintln(os.Stderr, "unable to read /proc:", err)
		os.Exit(1)
	}
	go func() {
		// Helpers wait 100 ms for the status of what they adopted, also on a
		// machine that is busy with other tests.
		runtime.LockOSThread()
		unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -15)
		for range time.Tick(time.Millisecond) {
			for _, pid := range procfs.Children(os.Getpid()) {
				if s, err := procfs.ReadStat(pid); err == nil && s.Dead() && s.Session != self.Session && !startedHere(pid) {
					unix.Wait4(pid, nil, unix.WNOHANG, nil)
				}
			}
		}
	}()
}

// startedHere reports whether os/exec started a child that nobody has waited
// for: os keeps a pidfd of it until then. A program in a terminal of its own
// has a session of its own as well.
func startedHere(pid int) bool {
	const fdinfo = "/proc/self/fdinfo/"
	entries, err := os.ReadDir(fdinfo)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		text, _ := os.ReadFile(fdinfo + entry.Name())
		if strings.Contains(string(text), fmt.Sprintf("\nPid:\t%d\n", pid)) {
			return true
		}
	}
	return false
}
