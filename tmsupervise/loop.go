package main

import (
	"runtime"
	"time"

	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// The places of what the loop polls.
const (
	onControl = iota
	onChild
	onProgram
	onStage
	onOutput
	onReady
	onSignal
	onOthers // and following
)

// gcEvery bounds what fork leaves behind: syscall.ForkExec allocates 1.7 kB
// each time, and the helper runs with GOGC=off.
const gcEvery = 256

// loop is the one wait and the one deadline of the helper.
func (h *helper) loop() {
	for !h.done {
		if h.poll() {
			h.hear()
		}
		h.meetDeadlines()
		h.collect()
	}
}

// poll waits for something to hear or a deadline. A descriptor of -1 is one
// that poll(2) passes over.
func (h *helper) poll() bool {
	h.fds = h.fds[:onOthers]
	for place, fd := range [onOthers]int{
		onControl: h.control, onChild: h.reaper.fd, onProgram: h.programFd(), onStage: h.stage,
		onOutput: h.out.wanted(), onReady: h.beat.fd, onSignal: h.word,
	} {
		h.fds[place] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	h.fds[onProgram].Events = h.programEvents()
	h.fds[onOutput].Events = unix.POLLOUT
	for _, o := range h.others {
		h.fds = append(h.fds, unix.PollFd{Fd: int32(o.fd), Events: unix.POLLIN})
	}
	_, err := unix.Poll(h.fds, h.timeout())
	if err != nil && err != unix.EINTR {
		// Such as EINVAL, when somebody has set the limit on open files below
		// the number polled. The next helper finds the program again.
		die.Fatal(die.Temporary, "unable to wait", err)
	}
	return err == nil // else what came is heard at the next turn
}

// hear takes what has come, the end of the program before any command, so
// that no command is obeyed in a state that is over.
func (h *helper) hear() {
	if h.is(onStage) {
		h.readStage()
	}
	if h.is(onReady) {
		h.readReady()
	}
	if h.is(onChild) || h.is(onProgram) {
		h.reap()
	}
	for place := onOthers; place < len(h.fds); place++ {
		if h.is(place) {
			h.checkGone()
			break
		}
	}
	if h.is(onControl) {
		h.readControl()
	}
	if h.is(onSignal) {
		h.readSignals()
	}
	if h.is(onOutput) {
		h.out.flush()
	}
}

func (h *helper) is(place int) bool { return h.fds[place].Revents != 0 }

// deadlines are the times, zero for none, at which something is due.
func (h *helper) deadlines() [4]time.Duration {
	return [4]time.Duration{h.due, h.restatus, h.gaveUpAt, h.beat.due}
}

// timeout is the wait until the first deadline in ms, rounded up, or -1.
func (h *helper) timeout() int {
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
	const longest = 24 * time.Hour // an int of ms holds 24 days
	return int(min(longest, max(0, wait+time.Millisecond-1)) / time.Millisecond)
}

func (h *helper) meetDeadlines() {
	now := h.now()
	passed := func(due time.Duration) bool { return due != 0 && due <= now }
	if passed(h.due) {
		h.due = 0
		h.step(timer)
		h.checkGone() // when no descriptor was free to be told of it by
	}
	if passed(h.gaveUpAt) {
		h.endAdopted()
	}
	if passed(h.beat.due) {
		h.silent()
	}
	if passed(h.restatus) {
		h.heed() // tmd may have looked in vain
	}
}

func (h *helper) collect() {
	if h.count >= gcEvery {
		h.count = 0
		runtime.GC()
	}
}
