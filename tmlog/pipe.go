package main

import (
	"io"
	"strconv"

	"golang.org/x/sys/unix"
)

// bigPipe is what a busy pipe is enlarged to, as far as the system allows:
// fcntl(2) F_SETPIPE_SZ.
const bigPipe = 1 << 20

// A pipe is standard input as a pipe or FIFO. It is never read before what it
// holds is written: tee(2) shows its content and splice(2) moves it, so the
// content outlives this process wherever somebody else holds the pipe.
//
// The open file is shared with others, under tmd with the program itself, so
// O_NONBLOCK is never set on it; each call says for itself not to wait.
type pipe struct {
	fd      int
	copyIn  int  // the side pipe that tee fills ...
	copyOut int  // ... and look reads
	null    int  // where take puts what was written
	edge    int  // an epoll(7) descriptor, see wakeup; -1 until it is needed
	armed   bool // edge was waited for since the last look
	buf     []byte
	shown   int  // bytes that look returned last
	cut     bool // it could not return more, though more was there
	wide    bool // the side pipe was enlarged
	big     bool
}

// widePipe is what the side pipe is enlarged to when a chunk comes in more
// pieces than it has places for, each of which may hold a page.
const widePipe = 4 * chunk

func newPipe(fd int) (*pipe, error) {
	p := &pipe{fd: fd, edge: -1}
	var side [2]int
	if err := unix.Pipe2(side[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	p.copyOut, p.copyIn = side[0], side[1]
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	p.null = null
	return p, err
}

func (p *pipe) look() ([]byte, error) {
	p.shown = 0
	p.disarm()
	there := p.backlog()
	n, err := retry(func() (int64, error) {
		return unix.Tee(p.fd, p.copyIn, chunk, unix.SPLICE_F_NONBLOCK)
	})
	if err != nil || n == 0 {
		return nil, emptyOrEnd(err)
	}
	if p.buf == nil {
		p.buf = make([]byte, chunk)
	}
	for p.shown < int(n) {
		got, err := retry(func() (int64, error) {
			k, err := unix.Read(p.copyOut, p.buf[p.shown:n])
			return int64(k), err
		})
		if err != nil {
			return nil, err
		}
		p.shown += int(got)
	}
	p.enlarge(n)
	p.cut = p.shown < min(there, chunk)
	if p.cut && !p.wide {
		p.wide = true
		unix.FcntlInt(uintptr(p.copyIn), unix.F_SETPIPE_SZ, widePipe)
		return p.look()
	}
	return p.buf[:p.shown], nil
}

func (p *pipe) take(n int) error {
	for n > 0 {
		moved, err := retry(func() (int64, error) {
			return unix.Splice(p.fd, nil, p.null, nil, n, unix.SPLICE_F_NONBLOCK)
		})
		if err == unix.EAGAIN || err == nil && moved == 0 {
			return nil // somebody else reads this pipe too, and took it
		}
		if err != nil {
			return err
		}
		n -= int(moved)
	}
	return nil
}

// spliceTo moves at most max bytes to the file at offset, which the file must
// not have open with O_APPEND. SIGKILL in the middle leaves each byte in
// exactly one of the two. The errors are errEmpty, io.EOF and those of the
// system; EINVAL says that this file system cannot do it.
func (p *pipe) spliceTo(file int, offset int64, max int) (int, error) {
	n, err := retry(func() (int64, error) {
		at := offset
		return unix.Splice(p.fd, nil, file, &at, max, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	})
	if err != nil || n == 0 {
		return 0, emptyOrEnd(err)
	}
	p.enlarge(n)
	return int(n), nil
}

// enlarge makes the pipe bigger once, after it was found full: its pages are
// used to more than a half, whatever the pieces that were written.
func (p *pipe) enlarge(found int64) {
	if found > chunk/2 && !p.big {
		p.big = true
		unix.FcntlInt(uintptr(p.fd), unix.F_SETPIPE_SZ, bigPipe)
	}
}

func (p *pipe) complete() bool {
	set := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	unix.Poll(set, 0)
	return p.shown >= chunk || p.cut || set[0].Revents&unix.POLLHUP != 0 || p.full()
}

// full says that a writer would have to wait. The number of bytes does not
// tell, since a page of the pipe may be used in part, so the question is put
// to a writing end, opened for the moment. If that is refused the pipe counts
// as full: better a line judged by its beginning than a program that waits.
func (p *pipe) full() bool {
	end, err := unix.Open("/proc/self/fd/"+strconv.Itoa(p.fd), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(end)
	set := []unix.PollFd{{Fd: int32(end), Events: unix.POLLOUT}}
	unix.Poll(set, 0)
	return set[0].Revents&unix.POLLOUT == 0
}

// wakeup with more is an edge-triggered epoll descriptor: poll(2) alone would
// find a pipe readable for as long as an unfinished line stays in it.
func (p *pipe) wakeup(more bool) int {
	if !more {
		return p.fd
	}
	if p.edge < 0 {
		edge, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return p.fd
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET}
		if err := unix.EpollCtl(edge, unix.EPOLL_CTL_ADD, p.fd, &event); err != nil {
			unix.Close(edge)
			return p.fd
		}
		p.edge = edge
	}
	p.armed = true
	return p.edge
}

// disarm takes the event that ended a wait. It comes before the look, so that
// what is written after the look makes a new one.
func (p *pipe) disarm() {
	if p.armed {
		var event [1]unix.EpollEvent
		unix.EpollWait(p.edge, event[:], 0)
		p.armed = false
	}
}

func (p *pipe) backlog() int {
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
		return errEmpty
	}
	return err
}

// retry repeats a call that a signal interrupted.
func retry(call func() (int64, error)) (int64, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}
