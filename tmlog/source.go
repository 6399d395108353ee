package main

import "golang.org/x/sys/unix"

// chunk is how much of the input is looked at at a time, in bytes, and so how
// much a SIGKILL between writing and taking can make appear twice.
const chunk = 64 << 10

// A source is where lines come from. What it showed it shows again until it
// is taken, so that nothing is taken that is not written.
type source interface {
	// look returns what comes next, at most chunk bytes, without taking it.
	// The slice is valid until the next call. The errors are peek.ErrEmpty, io.EOF
	// and those of the system.
	look() ([]byte, error)
	// take removes the first n bytes of what look returned.
	take(n int) error
	// complete says that nothing can be added to what look returned, because
	// there is no room for it or nobody left to write it.
	complete() bool
	// wakeup returns what poll(2) finds readable when there is input. With more
	// it is readable only after something was added to what look returned.
	wakeup(more bool) int
	// backlog is how many bytes it holds now.
	backlog() int
}

// openSource takes standard input for what it is.
func openSource(fd int) (source, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_ACCMODE == unix.O_WRONLY {
		return nil, unix.EBADF
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return newPipe(fd)
	case unix.S_IFDIR:
		return nil, unix.EISDIR
	}
	return &stream{fd: fd, regular: st.Mode&unix.S_IFMT == unix.S_IFREG}, nil
}

// readable asks without waiting.
func readable(fd int) bool {
	set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(set, 0)
	return n > 0
}
