package tmtest

import (
	"fmt"
	"os"
	"time"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes the test take the part of init for what killed keepers
// leave: PID 1 of many a container waits for nobody, and then nobody ever
// learns how an orphan ended. The test's own children, which have its session,
// are left to those who started them.
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
		for range time.Tick(time.Millisecond) {
			for _, pid := range procfs.Children(os.Getpid()) {
				if s, err := procfs.ReadStat(pid); err == nil && s.Dead() && s.Session != self.Session {
					unix.Wait4(pid, nil, unix.WNOHANG, nil)
				}
			}
		}
	}()
}
