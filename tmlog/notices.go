package main

import (
	"strconv"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// maxNotices is how many wait for a reader who does not read; then the oldest
// is given up.
const maxNotices = 8

// Notices tell what went wrong with the log file: under tmd, which names its
// events FIFO in TM_EVENTS, as an event, else on standard error. Neither may
// ever hold up the log, so both are only written to when there is room.
//
// The event is always logfull, with one of
//
//	logfull file=PATH policy=block reason=no%20space%20left%20on%20device
//	logfull file=PATH policy=drop dropped=N
type notices struct {
	file   string
	policy policy
	events int // the FIFO, -1 without one
	queue  []notice
}

type notice struct {
	what string // for standard error
	why  error
	line []byte // for the FIFO
}

// openNotices opens the FIFO of that name, if any. It is opened O_RDWR, so
// that writing to it never is EPIPE while tmd is away.
func openNotices(fifo, file string, onFull policy) *notices {
	n := &notices{file: file, policy: onFull, events: -1}
	if fifo == "" {
		return n
	}
	fd, err := unix.Open(fifo, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	var st unix.Stat_t
	if err == nil && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = unix.ENXIO
	}
	if err != nil {
		die.Warn("unable to open "+fifo, err)
		return n
	}
	n.events = fd
	return n
}

// toEvents reports whether they go to tmd.
func (n *notices) toEvents() bool { return n.events >= 0 }

// trouble tells of something that failed.
func (n *notices) trouble(what string, why error) {
	reason := what
	if why != nil {
		reason += ": " + die.Reason(why)
	}
	n.add(notice{what: what, why: why}, "reason", reason)
}

// full tells that lines cannot be written, once for as long as it lasts.
func (n *notices) full(why error) {
	what := "logfull: unable to write " + n.file + " (" + string(n.policy) + ")"
	n.add(notice{what: what, why: why}, "reason", die.Reason(why))
}

// dropped tells how many lines were, once they can be written again.
func (n *notices) dropped(lines int64) {
	count := strconv.FormatInt(lines, 10)
	n.add(notice{what: n.file + ": " + count + " lines dropped"}, "dropped", count)
}

func (n *notices) add(one notice, key, value string) {
	e := event.New(time.Now(), event.Daemon, event.LogFull,
		"file", n.file, "policy", string(n.policy), key, value)
	one.line = e.Append(nil)
	if len(n.queue) == maxNotices {
		n.queue = n.queue[1:]
	}
	n.queue = append(n.queue, one)
	n.flush()
}

// flush writes what waits and finds room.
func (n *notices) flush() {
	for len(n.queue) > 0 && n.tell(n.queue[0]) {
		n.queue = n.queue[1:]
	}
}

func (n *notices) tell(one notice) bool {
	if n.events >= 0 {
		_, err := unix.Write(n.events, one.line)
		return err != unix.EAGAIN && err != unix.EINTR
	}
	room := []unix.PollFd{{Fd: int32(die.Stderr), Events: unix.POLLOUT}}
	if ready, _ := unix.Poll(room, 0); ready == 0 {
		return false
	}
	die.Warn(one.what, one.why)
	return true
}
