package statedir

import (
	"bytes"
	"strconv"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// TryLock takes the flock(2) of a lock file and writes the caller's pid into
// it. The descriptor keeps the lock until it is closed. EWOULDBLOCK says that
// another has it.
//
// The lock belongs to the open file, which a fork shares until it execs: who
// gets a dead helper's lock knows that nothing the helper forked is still on
// its way to becoming the program.
func (p Place) TryLock(name string) (fd int, err error) {
	fd, err = p.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return -1, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if err := sign(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// WaitLock is TryLock that waits, in a way that the Go scheduler knows of.
func (p Place) WaitLock(name string) (fd int, err error) {
	fd, err = p.open(name, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return -1, err
	}
	for {
		err = unix.Flock(fd, unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err == nil {
		err = sign(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// TryLock is Paths.TryLock.
func TryLock(path string) (fd int, err error) { return Paths.TryLock(path) }

// WaitLock is Paths.WaitLock.
func WaitLock(path string) (fd int, err error) { return Paths.WaitLock(path) }

// sign writes the pid over what was there, the old one never being gone
// before the new one stands: the content is one line of fixed width.
func sign(fd int) error {
	var room [32]byte
	line := append(strconv.AppendInt(room[:0], int64(unix.Getpid()), 10), "          "...)
	line = append(line[:10], '\n')
	_, err := unix.Pwrite(fd, line, 0)
	return err
}

// Holder returns the pid of the process that holds a lock file, 0 when nobody
// does. A holder that has not written its pid yet, and a fork of a dead one
// (waited for or not) that has not reached its exec, is -1: ask again, or wait
// by WaitLock.
func Holder(path string) (pid int, err error) {
	fd, err := Paths.open(path, unix.O_RDWR|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0, nil
	}
	text, err := procfs.ReadFile(path, 64)
	if err != nil {
		return 0, err
	}
	pid, err = strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid <= 0 {
		return -1, nil
	}
	if s, err := procfs.ReadStat(pid); err != nil || s.State == 'Z' || s.State == 'X' {
		return -1, nil // it is ending, all its threads or not
	}
	return pid, nil
}
