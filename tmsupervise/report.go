package main

import (
	"strconv"
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
	fd   int  // -1: nowhere
	poll bool // fd may block: write only when poll(2) says there is room
	kept [][]byte
	lost int
}

// wanted is the descriptor to poll for room, -1 when nothing waits.
func (s *sink) wanted() int {
	if len(s.kept) == 0 && s.lost == 0 {
		return -1
	}
	return s.fd
}

// send writes the event, or keeps it behind those that wait.
func (s *sink) send(e event.Event) {
	if s.fd < 0 || e.Kind == "" {
		return
	}
	s.kept = append(s.kept, e.Append(nil))
	s.flush(e.Name)
	if len(s.kept) > keptEvents {
		s.lost += len(s.kept) - keptEvents
		s.kept = s.kept[len(s.kept)-keptEvents:]
	}
}

// flush writes what waits, as far as there is room; name is whose `lost` it is.
func (s *sink) flush(name string) {
	for len(s.kept) > 0 || s.lost > 0 {
		if s.lost > 0 {
			gap := event.New(time.Now(), name, event.Lost, "n", strconv.Itoa(s.lost))
			if !s.write(gap.Append(nil)) {
				return
			}
			s.lost = 0
			continue
		}
		if !s.write(s.kept[0]) {
			return
		}
		s.kept = s.kept[1:]
	}
	s.kept = nil
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
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return n == 1
		}
	}
}

// startRecord is the event in a status that says a fork was begun.
func startRecord(name string, since uint64) event.Event {
	return event.New(time.Now(), name, event.Starting, "pid", "0", "since", strconv.FormatUint(since, 10))
}
