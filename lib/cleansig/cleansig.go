// Package cleansig gives a process the signal state that its children should
// find: nothing blocked, nothing ignored.
//
// A shell's nohup, a cron or another supervisor may have started us with
// signals ignored or blocked, and fork and exec pass both on (signal(7)). Go
// offers no way to undo either for a child, so the process resets them by raw
// system calls and executes itself once.
package cleansig

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// mark in the environment says that Ensure has executed this process already;
// what it could not clear then it will not clear now.
const mark = "TM_CLEANSIG"

// Ensure returns at once when nothing is blocked or ignored. Otherwise it
// resets both and executes the program again with its arguments and
// environment, or returns an error when that fails. It must be called from
// the main goroutine before any other is started.
//
// Those of except stay ignored. A caller that has signal.Notify catch them keeps
// them from its children, since exec gives a caught signal its default.
func Ensure(except ...syscall.Signal) error {
	_, again := os.LookupEnv(mark)
	if again {
		os.Unsetenv(mark)
		return nil
	}
	blocked, ignored := state()
	for _, sig := range except {
		ignored &^= 1 << (sig - 1)
	}
	if blocked == 0 && ignored == 0 {
		return nil
	}
	runtime.LockOSThread() // the mask is this thread's, and exec keeps it
	defer runtime.UnlockOSThread()
	reset(ignored)
	// By its own path, so that ps(1) shows its name and not "exe".
	path, err := os.Executable()
	if err != nil {
		path = "/proc/self/exe"
	}
	return syscall.Exec(path, os.Args, append(os.Environ(), mark+"=1"))
}

// state reads the masks from /proc/self/status (proc(5)).
func state() (blocked, ignored uint64) {
	text, err := procfs.ReadFile("/proc/self/status", 1<<16)
	if err != nil {
		return 0, 0
	}
	return mask(text, "SigBlk:"), mask(text, "SigIgn:")
}

func mask(text []byte, key string) uint64 {
	_, rest, ok := bytes.Cut(text, []byte("\n"+key))
	if !ok {
		return 0
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, _ := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	return n
}

// reset sets these signals to their default and unblocks all.
func reset(ignored uint64) {
	var defaultAction [64]byte // struct sigaction with SIG_DFL, larger than any kernel's
	const maskSize = 8
	for sig := uintptr(1); sig <= 64; sig++ {
		if ignored&(1<<(sig-1)) != 0 {
			unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&defaultAction)), 0, maskSize, 0, 0)
		}
	}
	var none uint64
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&none)), 0, maskSize, 0, 0)
}
