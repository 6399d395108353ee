package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strconv"
	"strings"

	"taskmaster/lib/peek"

	"golang.org/x/sys/unix"
)

// chunk is how much of the input is looked at in one piece, in bytes.
const chunk = 64 << 10

// An intake reads standard input and, when that is a pipe, takes nothing from
// it that is not yet in the spool. So SIGKILL at any
// moment loses no event that is in a pipe which outlives tmmail, as tmd's
// does.
type intake struct {
	fd     int
	pipe   *peek.Pipe // nil when it is none
	buf    []byte
	peeked int           // bytes looked at and not taken yet
	ready  chan struct{} // there is something to read, or the end
	again  chan struct{} // look for more
}

// newIntake watches fd. A pipe is enlarged to 1 MiB as far as the system
// allows, so that a burst fits while the disk is slow (fcntl(2), F_SETPIPE_SZ).
func newIntake(fd int) (*intake, error) {
	in := &intake{fd: fd, buf: make([]byte, chunk), ready: make(chan struct{}), again: make(chan struct{})}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err == nil {
		unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 1<<20)
		var err error
		if in.pipe, err = peek.New(fd); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// watch says on ready when there is input, and waits for again. It is a
// goroutine of its own, since poll(2) blocks.
func (in *intake) watch() {
	for {
		fds := []unix.PollFd{{Fd: int32(in.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		}
		in.ready <- struct{}{}
		<-in.again
	}
}

// peek returns what there is to read, at most a chunk. The error is io.EOF at
// the end, or that of the system. Nothing yet is nil without an error.
func (in *intake) peek() ([]byte, error) {
	if in.pipe == nil {
		return in.read()
	}
	n, err := in.pipe.Look(in.buf)
	if err == peek.ErrEmpty {
		n, err = 0, nil
	}
	in.peeked = n
	return in.buf[:n], err
}

// read is peek of what is no pipe: it takes what it returns.
func (in *intake) read() ([]byte, error) {
	n, err := unix.Read(in.fd, in.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil, nil
	case err != nil:
		return nil, err
	case n == 0:
		return nil, io.EOF
	}
	return in.buf[:n], nil
}

// take removes from the pipe what was looked at.
func (in *intake) take() error {
	if in.pipe == nil {
		return nil
	}
	n := in.peeked
	in.peeked = 0
	return in.pipe.Take(n)
}

// holds is how many bytes a pipe holds; 0 when the input is none.
func (in *intake) holds() int {
	if in.pipe == nil {
		return 0
	}
	return in.pipe.Held()
}

// markOf names a chunk of input by its length and sum. The spool holds the
// mark while the chunk is taken in, and groups remember the one they took in
// last: a tmmail that finds the chunk still in the pipe, its predecessor
// having died over it, takes it in for those groups only that have not.
func markOf(piece []byte) string {
	sum := sha256.Sum256(piece)
	return strconv.Itoa(len(piece)) + ":" + hex.EncodeToString(sum[:12])
}

// marked reports whether input begins with the chunk that mark names, and
// returns its length.
func marked(input []byte, mark string) (int, bool) {
	length, _, _ := strings.Cut(mark, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 1 || n > len(input) {
		return 0, false
	}
	return n, markOf(input[:n]) == mark
}

// beginTaking and endTaking stand around the taking in of a chunk. Nothing is
// synced: what outlives the machine is not in a pipe.
func (s spool) beginTaking(mark string) {
	if err := os.WriteFile(s.path("taking"), []byte(mark), 0o600); err != nil {
		s.endTaking() // of a full disk the notifier tells
	}
}

func (s spool) endTaking() { s.remove("", "taking") }

// taking is the mark of the chunk over which an earlier tmmail died, or "".
func (s spool) taking() string {
	mark, err := s.read("", "taking")
	if err != nil {
		return ""
	}
	return string(mark)
}
