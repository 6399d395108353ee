package main

import (
	"bytes"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// oomCheck marks an end by the kernel's out-of-memory killer. Only a SIGKILL
// that is not ours can be one, and only on a system that has had any, which
// /proc/vmstat tells cheaply; then the kernel log is asked, which names the
// pid, if we may read it.
func (h *helper) oomCheck(end *ending) {
	if end.signal != unix.SIGKILL || h.killed || !oomKilledAny() {
		return
	}
	end.oom = kernelKilled(h.pid)
}

func oomKilledAny() bool {
	text, err := procfs.ReadFile("/proc/vmstat", 1<<16)
	if err != nil {
		return false
	}
	_, rest, ok := bytes.Cut(text, []byte("\noom_kill "))
	return ok && !bytes.HasPrefix(rest, []byte("0\n"))
}

// kernelKilled looks for "Killed process PID (" in the kernel log (kmsg in
// Documentation/ABI/testing/dev-kmsg).
func kernelKilled(pid int) bool {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	want := []byte("Killed process " + itoa(pid) + " (")
	for {
		n, err := unix.Read(fd, scratch[:])
		if err == unix.EINTR || err == unix.EPIPE { // EPIPE: records were overwritten, go on
			continue
		}
		if err != nil || n <= 0 {
			return false
		}
		if bytes.Contains(scratch[:n], want) {
			return true
		}
	}
}
