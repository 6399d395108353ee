// Package peek looks at what a pipe holds without taking it, after tee(2) and
// splice(2). A process that deals with what it saw, and only then takes it,
// loses nothing when it is killed in between, where somebody else keeps the
// pipe open: its successor sees the same again.
package peek

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

var (
	// ErrEmpty says that the pipe holds nothing at the moment.
	ErrEmpty = errors.New("nothing in the pipe now")
	// ErrShared says that somebody else reads the same pipe.
	ErrShared = errors.New("someone else reads from the same pipe")
)

// A Pipe is the reading end of a pipe or FIFO.
//
// The open file may be shared with others, of tmlog's even with the program
// that writes, so O_NONBLOCK is never set on it: each call says for itself not
// to wait.
type Pipe struct {
	fd      int
	copyIn  int // a pipe of our own, which tee(2) fills ...
	copyOut int // ... and Look empties
	null    int // where Take puts what it takes
}

// New makes fd, which stays the caller's, ready to be looked at. The errors
// are those of pipe(2) and of opening /dev/null.
func New(fd int) (*Pipe, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(ends[0])
		unix.Close(ends[1])
		return nil, err
	}
	return &Pipe{fd: fd, copyOut: ends[0], copyIn: ends[1], null: null}, nil
}

// Look fills buf with what comes next, as far as there is something, and
// returns its length in bytes. What came in many small pieces may not be shown
// in full: see Widen. The errors are ErrEmpty, io.EOF when no writer is left,
// and those of the system.
func (p *Pipe) Look(buf []byte) (int, error) {
	n, err := retry(func() (int64, error) {
		return unix.Tee(p.fd, p.copyIn, len(buf), unix.SPLICE_F_NONBLOCK)
	})
	if err != nil || n == 0 {
		return 0, emptyOrEnd(err)
	}
	for shown := 0; shown < int(n); {
		got, err := retry(func() (int, error) { return unix.Read(p.copyOut, buf[shown:n]) })
		if err != nil {
			return 0, err
		}
		shown += got
	}
	return int(n), nil
}

// Widen lets Look show as many pieces as a pipe of size bytes has places for,
// one for each page of them, instead of 16; as far as the system allows, see
// F_SETPIPE_SZ in fcntl(2).
func (p *Pipe) Widen(size int) { unix.FcntlInt(uintptr(p.copyIn), unix.F_SETPIPE_SZ, size) }

// Take removes the first n bytes. The errors are ErrShared when there are no
// longer that many, and those of the system.
func (p *Pipe) Take(n int) error {
	for n > 0 {
		moved, err := retry(func() (int64, error) {
			return unix.Splice(p.fd, nil, p.null, nil, n, unix.SPLICE_F_NONBLOCK)
		})
		if err == unix.EAGAIN || err == nil && moved == 0 {
			return ErrShared
		}
		if err != nil {
			return err
		}
		n -= int(moved)
	}
	return nil
}

// MoveTo moves at most max bytes to the file at offset, which the file must
// not have open with O_APPEND, and returns how many. SIGKILL in the middle
// leaves each byte in exactly one of the two. The errors are ErrEmpty, io.EOF
// and those of the system; EINVAL says that this file system cannot do it.
func (p *Pipe) MoveTo(file int, offset int64, max int) (int, error) {
	n, err := retry(func() (int64, error) {
		at := offset
		return unix.Splice(p.fd, nil, file, &at, max, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	})
	if err != nil || n == 0 {
		return 0, emptyOrEnd(err)
	}
	return int(n), nil
}

// Held is how many bytes the pipe holds now.
func (p *Pipe) Held() int {
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// emptyOrEnd is the error of a call that moved nothing.
func emptyOrEnd(err error) error {
	switch err {
	case nil:
		return io.EOF
	case unix.EAGAIN:
		return ErrEmpty
	}
	return err
}

// retry repeats a call that a signal interrupted.
func retry[N int | int64](call func() (N, error)) (N, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
