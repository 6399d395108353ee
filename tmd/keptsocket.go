package main

import (
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A keptSocket is tmd's copy of the socket on which a program tells its
// helper by sd_notify(3) that it is ready and alive. It keeps what is said
// between the death of a helper and the next one, which gets the copy.
type keptSocket struct {
	name string // abstract, "" for none
	fd   int
}

// keepNotify takes a copy when an instance has a new socket, and gives up that
// of the last. Where the kernel does not allow it (ptrace(2), access mode
// checking) the next helper binds the name again, and hears what is said from
// then on.
func (in *instance) keepNotify() {
	if in.notify.name == in.status.Notify {
		return
	}
	in.dropNotify()
	if in.status.Notify == "" || in.helper.pid == 0 {
		return
	}
	fd, err := unix.PidfdGetfd(in.helper.pidfd, statedir.NotifyFD, 0)
	if err != nil {
		return
	}
	if statedir.SocketName(fd) != in.status.Notify {
		unix.Close(fd) // another one by now
		return
	}
	in.notify = keptSocket{in.status.Notify, fd}
}

func (in *instance) dropNotify() {
	if in.notify.name != "" {
		unix.Close(in.notify.fd)
		in.notify = keptSocket{}
	}
}

// inherited is what a helper of the instance is given beyond 0, 1 and 2.
func (in *instance) inherited() []int {
	if in.notify.name == "" {
		return nil
	}
	return []int{in.notify.fd}
}
