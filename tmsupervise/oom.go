package main

import (
	"bytes"
	"strconv"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// oomCheck marks an end by the kernel's out-of-memory killer. Only a SIGKILL
// that is not ours can be one, and only if the system has had more of them
// than when last looked at, which /proc/vmstat tells cheaply; then the kernel
// log is asked, which names the pid, if we may read it.
func (h *helper) oomCheck(end *ending) {
	if end.signal != unix.SIGKILL || h.killed {
		return
	}
	before, known := h.oomKills, h.oomCounted
	h.countOOM()
	if h.oomKills > before || !known {
		end.oom = h.oomKills > 0 && h.kernelKilled()
	}
}

// countOOM takes note of how many processes the kernel has killed since boot.
// It is done before the first start: without that number an end by SIGKILL
// would cost a walk through the whole kernel log before the next one, 1.5 ms on
// a machine that had ever run out of memory; and with one that was taken while
// the program ran its own end may be counted already, and go untold.
func (h *helper) countOOM() {
	h.oomKills, h.oomCounted = 0, true
	text, err := procfs.ReadInto("/proc/vmstat", h.room.scratch[:])
	if err != nil {
		return
	}
	_, rest, _ := bytes.Cut(text, []byte("\noom_kill "))
	number, _, _ := bytes.Cut(rest, []byte("\n"))
	h.oomKills, _ = strconv.ParseUint(string(number), 10, 64)
}

// kernelKilled looks for "Killed process PID (" in the kernel log (kmsg in
// Documentation/ABI/testing/dev-kmsg).
func (h *helper) kernelKilled() bool {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	want := []byte("Killed process " + strconv.Itoa(h.pid) + " (")
	for {
		n, err := unix.Read(fd, h.room.scratch[:])
		if err == unix.EINTR || err == unix.EPIPE { // EPIPE: records were overwritten, go on
			continue
		}
		if err != nil || n <= 0 {
			return false
		}
		if bytes.Contains(h.room.scratch[:n], want) {
			return true
		}
	}
}
