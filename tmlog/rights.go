package main

import (
	"errors"
	"syscall"

	"taskmaster/lib/safepath"

	"golang.org/x/sys/unix"
)

// takeRights makes this process, when it is root's and the log file is in a
// directory that another user can exchange for theirs, deal with files by that
// user's rights only: so nothing that is renamed, deleted or opened there can
// be anything that the user could not rename, delete or open. In all else it
// stays root's (setfsuid(2)), so the user can neither trace nor end it.
func takeRights(path string) error {
	dir := parent(path)
	err := safepath.Secure(dir + "/.")
	for err == unix.ENOENT && dir != "/" && dir != "." {
		dir = parent(dir)
		err = safepath.Secure(dir + "/.")
	}
	var loose *safepath.LooseError
	if unix.Geteuid() != 0 || !errors.As(err, &loose) || loose.UID == 0 {
		return nil
	}
	for _, id := range []struct{ call, id int }{{unix.SYS_SETFSGID, loose.GID}, {unix.SYS_SETFSUID, loose.UID}} {
		if _, _, errno := syscall.AllThreadsSyscall(uintptr(id.call), uintptr(id.id), 0, 0); errno != 0 {
			return errno
		}
	}
	if now, _ := unix.SetfsuidRetUid(-1); now != loose.UID {
		return unix.EPERM // setfsuid itself returns no error
	}
	return nil
}
