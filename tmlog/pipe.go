package main

import (
	"strconv"

	"taskmaster/lib/peek"

	"golang.org/x/sys/unix"
)

// bigPipe is what a busy pipe is enlarged to, as far as the system allows:
// fcntl(2) F_SETPIPE_SZ.
const bigPipe = 1 << 20

// A pipe is standard input as a pipe or FIFO. It is never read before what it
// holds is written, so the content outlives this process wherever somebody else
// holds the pipe.
type pipe struct {
	fd    int
	view  *peek.Pipe
	edge  int  // an epoll(7) descriptor, see wakeup; -1 until it is needed
	armed bool // edge was waited for since the last look
	buf   []byte
	shown int  // bytes that look returned last
	cut   bool // it could not return more, though more was there
	wide  bool // more pieces can be looked at than at first
	big   bool
}

// widePipe is what the view is widened to when a chunk comes in more pieces
// than it has places for, each of which may hold a page.
const widePipe = 4 * chunk

func newPipe(fd int) (*pipe, error) {
	view, err := peek.New(fd)
	return &pipe{fd: fd, view: view, edge: -1}, err
}

func (p *pipe) look() ([]byte, error) {
	p.shown = 0
	p.disarm()
	there := p.backlog()
	if p.buf == nil {
		p.buf = make([]byte, chunk)
	}
	n, err := p.view.Look(p.buf)
	if err != nil {
		return nil, err
	}
	p.shown = n
	p.enlarge(n)
	p.cut = p.shown < min(there, chunk)
	if p.cut && !p.wide {
		p.wide = true
		p.view.Widen(widePipe)
		return p.look()
	}
	return p.buf[:p.shown], nil
}

func (p *pipe) take(n int) error {
	if err := p.view.Take(n); err != peek.ErrShared {
		return err
	}
	return nil // who else reads this pipe has it
}

// spliceTo is MoveTo of package peek.
func (p *pipe) spliceTo(file int, offset int64, max int) (int, error) {
	n, err := p.view.MoveTo(file, offset, max)
	p.enlarge(n)
	return n, err
}

// enlarge makes the pipe bigger once, after it was found full: its pages are
// used to more than a half, whatever the pieces that were written.
func (p *pipe) enlarge(found int) {
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

func (p *pipe) backlog() int { return p.view.Held() }
