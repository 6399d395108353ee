package proto

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// isClosed tells the end of a listener.
func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

// isAborted tells a client that went away before it was accepted, or whose
// network did (accept(2)).
func isAborted(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.ECONNABORTED, syscall.EPROTO, syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN,
		syscall.ENONET, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ETIMEDOUT:
		return true
	}
	return false
}

// isExhausted tells a lack of file descriptors or memory (accept(2)).
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// A spareFD is one file descriptor kept back. When no other is left it is
// given up to accept a client and tell it so: a client that stays in the
// backlog would make accept fail again and again at once.
type spareFD struct{ file *os.File }

func (s *spareFD) hold() {
	s.file, _ = os.Open(os.DevNull)
}

func (s *spareFD) release() {
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}

// exhaustedPause is the wait for a file descriptor when even the spare one is
// gone.
const exhaustedPause = 100 * time.Millisecond

// turnAway accepts one client and closes it.
func (s *spareFD) turnAway(l net.Listener) {
	if s.file == nil {
		// Another part of the process took it. Nothing tells when one is
		// free again, and to ask at once would spin.
		<-time.After(exhaustedPause)
	}
	s.release()
	defer s.hold()
	if tcp, ok := l.(*net.TCPListener); ok {
		tcp.SetDeadline(time.Now().Add(exhaustedPause))
		defer tcp.SetDeadline(time.Time{})
	}
	if client, err := l.Accept(); err == nil {
		turnAway(client)
	}
}
