// Package timerslack sets how long after its time the kernel may wake a
// sleeping thread (PR_SET_TIMERSLACK(2const)), which is 50 us unless somebody
// chose otherwise.
//
// Whenever a Go program does something after a rest, the runtime's monitor
// thread naps 20 us at a time for a while: some 25 wakeups at the start of a
// helper and as many at each restart, beside the work that all wait for. With
// a slack of a millisecond the kernel wakes it when it has other business.
// The monitor exists before main runs, and a thread has the slack of the one
// that made it, so it is for tmd to choose it where it forks a helper; and for
// the helper to choose that of the program where it forks.
package timerslack

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Slacks in ns: that of a helper, and the kernel's own choice.
const (
	Coarse = 1_000_000
	Usual  = 50_000
)

// Own returns the slack of the calling thread in ns.
func Own() int {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || ns <= 0 { // no int may hold what someone chose
		return Usual
	}
	return ns
}

// Set gives the calling thread, and what it forks, a slack of ns. It is a raw
// call, which never blocks and is no place at which a goroutine may come to
// run on another thread.
func Set(ns int) {
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(ns), 0)
}

// ForkExec is syscall.ForkExec of a process with a slack of ns, 0 for that of
// the caller.
func ForkExec(ns int, path string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	if ns == 0 {
		return syscall.ForkExec(path, argv, attr)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := Own()
	Set(ns)
	pid, err = syscall.ForkExec(path, argv, attr)
	Set(before)
	return pid, err
}
