// Command costs runs a command, exits as it did, and writes to file descriptor
// 3 what it took: processor time in nanoseconds and the largest resident size
// in kB. It is small itself: ru_maxrss of a child starts with what its parent
// had when it forked (getrusage(2)), and a test under the race detector has
// more than what is to be measured.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "costs:", err)
		os.Exit(111)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Fprintln(os.NewFile(3, "costs"), int64(spent), usage.Maxrss)
	os.Exit(cmd.ProcessState.ExitCode())
}
