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
	before := h.oomKills
	h.oomKills = oomKills()
	if h.oomKills > before {
		end.oom = kernelKilled(h.pid)
	}
}

// oomKills is how many processes the kernel has killed since boot.
func oomKills() uint64 {
	var buf [8192]byte
	text, err := procfs.ReadInto("/proc/vmstat", buf[:])
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("\noom_kill "))
	number, _, _ := bytes.Cut(rest, []byte("\n"))
	n, _ := strconv.ParseUint(string(number), 10, 64)
	return n
}

// kernelKilled looks for "Killed process PID (" in the kernel log (kmsg in
// Documentation/ABI/testing/dev-kmsg).
func kernelKilled(pid int) bool {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	want := []byte("Killed process " + strconv.Itoa(pid) + " (")
	for {
		var record [8192]byte
		n, err := unix.Read(fd, record[:])
		if err == unix.EINTR || err == unix.EPIPE { // EPIPE: records were overwritten, go on
			continue
		}
		if err != nil || n <= 0 {
			return false
		}
		if bytes.Contains(record[:n], want) {
			return true
		}
	}
}
