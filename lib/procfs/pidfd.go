package procfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenPidfd opens a pidfd (pidfd_open(2)) of the process that pid named when
// it started at start ticks after boot. ESRCH says that this process is gone,
// even if its number names another by now.
func OpenPidfd(pid int, start uint64) (int, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	// The order matters: what the pidfd names cannot change any more, so a
	// start time read now is that of the process it names or of a later one.
	s, err := ReadStat(pid)
	if err == nil && s.Start == start {
		return fd, nil
	}
	unix.Close(fd)
	if err == unix.EMFILE || err == unix.ENFILE {
		return -1, err // it may be there, but cannot be looked at
	}
	return -1, unix.ESRCH
}

// SignalPidfd sends sig by pidfd_send_signal(2).
func SignalPidfd(fd int, sig unix.Signal) error {
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// PidfdExited reports whether the process of a pidfd has ended: its pidfd is
// then readable (pidfd_open(2)).
func PidfdExited(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err == nil && n == 1
		}
	}
}

// awaitEnd waits until a process has ended, but not longer than that.
func awaitEnd(pid, ms int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, ms)
	unix.Close(fd)
}

// pidfdInfo is struct pidfd_info of linux/pidfd.h in its first published
// size, 64 bytes.
type pidfdInfo struct {
	mask     uint64
	cgroupID uint64
	ids      [11]uint32
	exitCode int32
}

const (
	pidfdGetInfo  = 0xC040FF0B // _IOWR(0xFF, 11, struct pidfd_info)
	pidfdInfoExit = 1 << 3     // since Linux 6.15
)

// PidfdStatus returns the wait status of a process that has ended and was
// waited for by its parent, which need not be the caller. Older kernels
// (before 6.15) do not tell: ok is false.
func PidfdStatus(fd int) (status unix.WaitStatus, ok bool) {
	info := pidfdInfo{mask: pidfdInfoExit}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), pidfdGetInfo, uintptr(unsafe.Pointer(&info)))
	if errno != 0 || info.mask&pidfdInfoExit == 0 {
		return 0, false
	}
	return unix.WaitStatus(info.exitCode), true
}
