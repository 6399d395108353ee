package main

import (
	"io"

	"taskmaster/lib/peek"

	"golang.org/x/sys/unix"
)

// A stream is standard input as a file, terminal, socket or device. What is
// read from it is held in memory until it is taken, at most chunk bytes.
type stream struct {
	fd      int
	regular bool // a file, of which SIGTERM leaves the rest
	buf     []byte
	from    int // buf[from:to] is read and not taken
	to      int
	ended   bool
}

func (s *stream) look() ([]byte, error) {
	if s.buf == nil {
		s.buf = make([]byte, chunk)
	}
	if s.from > 0 {
		s.to = copy(s.buf, s.buf[s.from:s.to])
		s.from = 0
	}
	if s.to < chunk && !s.ended && readable(s.fd) {
		if err := s.read(); err != nil {
			return nil, err
		}
	}
	switch {
	case s.to > 0:
		return s.buf[:s.to], nil
	case s.ended:
		return nil, io.EOF
	}
	return nil, peek.ErrEmpty
}

func (s *stream) read() error {
	n, err := unix.Read(s.fd, s.buf[s.to:])
	switch {
	case err == unix.EINTR || err == unix.EAGAIN:
		return nil
	case err == unix.EIO || err == unix.ECONNRESET:
		s.ended = true // a terminal that hung up, a peer that died
		return nil
	case err != nil:
		return err
	}
	s.to += n
	s.ended = n == 0
	return nil
}

func (s *stream) take(n int) error {
	s.from += n
	return nil
}

func (s *stream) complete() bool { return s.ended || s.to-s.from >= chunk }

func (s *stream) wakeup(bool) int { return s.fd }

func (s *stream) backlog() int {
	held := s.to - s.from
	if s.regular {
		return held
	}
	more, err := unix.IoctlGetInt(s.fd, unix.TIOCINQ)
	if err != nil {
		return held
	}
	return held + more
}
