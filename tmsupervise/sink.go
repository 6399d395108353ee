package main

import (
	"time"

	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// keptEvents is how many events a sink keeps while nobody reads.
const keptEvents = 8

// A sink is where event lines go: the events FIFO, or standard output. It
// never blocks: what does not fit is kept, then the oldest is dropped and
// counted, and `lost n=` says so when there is room again.
type sink struct {
	fd   int    // -1: nowhere
	name string // whose events
	poll bool   // fd may block: write only when poll(2) says there is room
	kept [keptEvents]keptLine
	n    int // of kept
	lost int
	gap  event.Builder // the line that says so
}

type keptLine struct {
	size int
	text [event.Max]byte
}

// wanted is the descriptor to poll for room, -1 when nothing waits.
func (s *sink) wanted() int {
	if s.n == 0 && s.lost == 0 {
		return -1
	}
	return s.fd
}

// send writes the line, or keeps it behind those that wait.
func (s *sink) send(text []byte) {
	if s.fd < 0 || len(text) == 0 {
		return
	}
	s.flush()
	if s.n == 0 && s.lost == 0 && s.write(text) {
		return
	}
	if s.n == keptEvents {
		s.drop()
		s.lost++
	}
	s.kept[s.n].size = copy(s.kept[s.n].text[:], text)
	s.n++
}

// drop forgets the oldest.
func (s *sink) drop() {
	copy(s.kept[:], s.kept[1:s.n])
	s.n--
}

// flush writes what waits, as far as there is room.
func (s *sink) flush() {
	if s.lost > 0 {
		var line [event.Max]byte
		s.gap.Begin(time.Now(), s.name, event.Lost).Int("n", s.lost)
		if !s.write(s.gap.Append(line[:0])) {
			return
		}
		s.lost = 0
	}
	for s.n > 0 {
		oldest := &s.kept[0]
		if !s.write(oldest.text[:oldest.size]) {
			return
		}
		s.drop()
	}
}

// write reports whether the line is dealt with: an error that will not pass
// (EPIPE: the reader is gone for good) counts as that.
func (s *sink) write(text []byte) bool {
	if s.poll && !hasRoom(s.fd) {
		return false
	}
	for {
		_, err := unix.Write(s.fd, text)
		if err == unix.EINTR {
			continue
		}
		return err != unix.EAGAIN
	}
}

func hasRoom(fd int) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(fds[:], 0)
		if err != unix.EINTR {
			return n == 1
		}
	}
}
