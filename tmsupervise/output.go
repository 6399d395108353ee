package main

import (
	"syscall"

	"taskmaster/lib/safepath"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// programFds are the descriptors that a program is started with: 0, 1, 2 and,
// for one that tells that it is ready, one more.
type programFds struct {
	null     int
	stdio    [2]int // the helper's own, for `inherit`
	out, err int    // opened here, 0 when not
	ready    int    // writing end for readiness, 0 when there is none
	readyAs  int    // the number that the program finds it under
	std      [2]int // what becomes 1 and 2
}

// open opens what stdout and stderr name, except those that skip says the
// exec stage opens itself.
func (f *programFds) open(s *spec.Spec, skip func(spec.Output) bool) *ending {
	var fail *ending
	f.std[0], f.out, fail = f.openOne(s.Stdout, 0, skip)
	if fail != nil {
		return fail
	}
	if s.Stderr.Kind == spec.SameAsOut {
		f.std[1] = f.std[0]
		return nil
	}
	f.std[1], f.err, fail = f.openOne(s.Stderr, 1, skip)
	return fail
}

func (f *programFds) openOne(o spec.Output, index int, skip func(spec.Output) bool) (use, opened int, fail *ending) {
	switch {
	case o.Kind == spec.InheritFile:
		return f.stdio[index], 0, nil
	case o.Path == "" || skip != nil && skip(o):
		return f.null, 0, nil
	}
	fd, err := openOutput(o, 0)
	if err != nil {
		errno, _ := err.(syscall.Errno)
		fail = logFailure(o.Path, errno)
		if o.Kind == spec.Log && errno == unix.ENOENT {
			fail.shortage = true // tmd makes the FIFO as soon as there is room for it
		}
		return 0, 0, fail
	}
	return fd, fd, nil
}

// logFailure says in words what the errno of openOutput means there.
func logFailure(path string, errno syscall.Errno) *ending {
	fail := failure("open log "+path, errno)
	switch errno {
	case unix.ENXIO:
		fail.reason = "cannot open log " + path + ": nobody reads this FIFO"
	case unix.ELOOP:
		fail.reason = "cannot open log " + path + ": a symbolic link in a directory that others may write to"
	case unix.EMLINK:
		fail.reason = "cannot open log " + path + ": a file with a second name in a directory that others may write to"
	}
	return fail
}

// list is the descriptors in their order; the gap below a readiness
// descriptor stays closed (a ^0 is one that ForkExec closes).
func (f *programFds) list() []uintptr {
	fds := []uintptr{uintptr(f.null), uintptr(f.std[0]), uintptr(f.std[1])}
	if f.ready > 0 {
		for len(fds) < f.readyAs {
			fds = append(fds, ^uintptr(0))
		}
		fds = append(fds, uintptr(f.ready))
	}
	return fds
}

func (f *programFds) close() {
	for _, fd := range []int{f.out, f.err, f.ready} {
		if fd > 0 {
			unix.Close(fd)
		}
	}
}

// openOutput opens the file or FIFO that an output names, and in a directory
// that others may write to nothing that they may have planted. A FIFO that
// nobody reads is an error, not a wait. More are further flags.
func openOutput(o spec.Output, more int) (int, error) {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NONBLOCK | unix.O_NOCTTY
	if o.Kind == spec.Log {
		// The program itself holds the reading side, so that no death of a
		// keeper gives it SIGPIPE or loses what the pipe holds.
		flags = unix.O_RDWR | unix.O_NONBLOCK
	}
	fd, err := safepath.Open(o.Path, flags|more, 0o644)
	if err == nil {
		unix.SetNonblock(fd, false)
	}
	return fd, err
}
