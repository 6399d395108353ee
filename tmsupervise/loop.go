package main

import (
	"runtime"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A helper is the machine with the world around it: everything belongs to the
// goroutine that runs loop.
type helper struct {
	machine

	dir      statedir.Run // "" when it works alone
	boot     string
	seq      int // the last numbered command
	written  written
	restatus time.Duration // when to try again to write the status, 0 for never

	out      sink
	control  int // commands come from here, -1 when they cannot
	commands line.Splitter
	null     int
	word     int    // pipe on which signals come as bytes, -1 under -d
	stdio    [2]int // the helper's own standard output and error, for `inherit`
	umask    int    // the helper's own

	reaper     *reaper
	pidfd      int // of the program, -1 when there is none
	stage      int // reading end of the exec stage's report, -1 when there is none
	report     []byte
	group      int           // process group of the program, also after its end
	startTicks uint64        // start time of the program, ticks after boot
	childless  bool          // wait4 found no child at all
	adopted    bool          // the program is not our child
	foreign    bool          // its tree may reach beyond our descendants
	gaveUpAt   time.Duration // an adopted program has ended: until then its status may come
	others     []watched     // members of the tree that are not our children
	lost       uint64        // a program started since that tick may live, but which is it?
	blame      string        // why the program is being ended, if not by a user
	lastEvent  event.Event
	beat       readiness

	fds   []unix.PollFd
	count int // events since the last garbage collection
}

// gcEvery bounds what fork leaves behind: syscall.ForkExec allocates 1.7 kB
// each time, and the helper runs with GOGC=off.
const gcEvery = 256

// loop is the one wait and the one deadline of the helper.
func (h *helper) loop() {
	for !h.done {
		h.fds = h.fds[:0]
		control := h.watch(h.control, unix.POLLIN)
		child := h.watch(h.reaper.fd, unix.POLLIN)
		program := h.watch(h.pidfd, h.programEvents())
		stage := h.watch(h.stage, unix.POLLIN)
		out := h.watch(h.out.wanted(), unix.POLLOUT)
		notify := h.watch(h.beat.fd, unix.POLLIN)
		signals := h.watch(h.word, unix.POLLIN)
		others := len(h.fds)
		for _, o := range h.others {
			h.watch(o.fd, unix.POLLIN)
		}
		if _, err := unix.Poll(h.fds, h.timeout()); err != nil {
			continue // EINTR; no other error can come of these (poll(2))
		}
		if h.is(stage) {
			h.readStage()
		}
		if h.is(notify) {
			h.readReady()
		}
		if h.is(child) || h.is(program) {
			h.reap()
		}
		for i := range h.others {
			if h.is(others + i) {
				h.checkGone()
				break
			}
		}
		if h.is(control) {
			h.readControl()
		}
		if h.is(signals) {
			h.readSignals()
		}
		if h.is(out) {
			h.out.flush(h.name())
		}
		h.meetDeadlines()
		h.collect()
	}
}

// watch adds a descriptor to the poll set and returns its place; -1 is a
// descriptor that poll(2) passes over.
func (h *helper) watch(fd int, events int16) int {
	h.fds = append(h.fds, unix.PollFd{Fd: int32(fd), Events: events})
	return len(h.fds) - 1
}

func (h *helper) is(place int) bool { return h.fds[place].Revents != 0 }

// deadlines are the times, zero for none, at which something is due.
func (h *helper) deadlines() [4]time.Duration {
	return [4]time.Duration{h.due, h.restatus, h.gaveUpAt, h.beat.due}
}

// timeout is the wait until the first deadline in ms, rounded up, or -1.
func (h *helper) timeout() int {
	if h.done {
		return 0
	}
	next := time.Duration(0)
	for _, due := range h.deadlines() {
		if due != 0 && (next == 0 || due < next) {
			next = due
		}
	}
	if next == 0 {
		return -1
	}
	wait := next - h.now()
	return int(max(0, (wait+time.Millisecond-1)/time.Millisecond))
}

func (h *helper) meetDeadlines() {
	now := h.now()
	passed := func(due time.Duration) bool { return due != 0 && due <= now }
	if passed(h.due) {
		h.due = 0
		h.step(timer)
	}
	if passed(h.gaveUpAt) {
		h.endAdopted()
	}
	if passed(h.beat.due) {
		h.silent()
	}
	if passed(h.restatus) {
		h.publish()
	}
}

func (h *helper) collect() {
	if h.count >= gcEvery {
		h.count = 0
		runtime.GC()
	}
}

func (h *helper) now() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

func (h *helper) name() string { return h.spec.Name }

// A written is what of the helper's state the status file shows; commands
// that change it without an event are published by comparing it.
type written struct {
	wish string
	seq  int
}

// announce publishes the status, then sends the event, so that whoever reads
// the status because of the event finds it.
func (h *helper) announce(e event.Event) {
	h.lastEvent = e
	h.publish()
	h.out.send(e)
	h.count++
}

// publish writes the status file. What fails is tried again in a second; the
// helper knows its state without the file.
func (h *helper) publish() {
	if h.dir == "" {
		return
	}
	status := h.status()
	h.restatus = 0
	if statedir.Publish(h.dir.Status(), status.Line()) != nil {
		h.restatus = h.now() + time.Second
		return
	}
	h.written = written{h.wish, h.seq}
}

// record writes what a later helper needs to find a program whose pid this
// one did not live to write down.
func (h *helper) record() error {
	if h.dir == "" {
		return nil
	}
	since := procfs.Ticks()
	status := h.status()
	status.Event = startRecord(h.name(), since)
	status.Since = since
	err := statedir.Publish(h.dir.Status(), status.Line())
	if err == nil {
		h.restatus = 0
		h.written = written{h.wish, h.seq}
	}
	return err
}

func (h *helper) status() statedir.Status {
	s := statedir.Status{
		Event: h.lastEvent, State: h.state.String(), Wish: h.wish, PID: h.pid, Boot: h.boot,
		Began: h.began.Milliseconds(), Due: h.due.Milliseconds(), Try: h.try, Restarts: h.restarts, Seq: h.seq,
		Then: int(h.then), Ready: h.isReady, Detail: h.detail, Start: h.startTicks, Since: h.lost,
		Group: h.group, Notify: h.beat.name,
	}
	if s.Detail == "" {
		s.Detail = h.beat.text
	}
	return s
}
