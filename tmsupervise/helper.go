package main

import (
	"syscall"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A helper is the machine with the world around it: everything belongs to the
// goroutine that runs loop. Its buffers are arrays in it, since each block of
// another size on the Go heap would cost every copy 8 kB; and so is what would
// let a stack of 4 kB grow, which would cost 20.
type helper struct {
	machine

	dir      statedir.Run // "" when it works alone
	follows  bool         // another helper was here before
	place    statedir.Place
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
	heldLogs   [2]int        // log FIFOs, -1 for none
	group      int           // process group of the program, also after its end
	startTicks uint64        // start time of the program, ticks after boot
	childless  bool          // wait4 found no child at all
	halted     unix.Signal   // what stopped the program where it is, 0 for nothing
	adopted    bool          // the program is not our child
	foreign    bool          // its tree may reach beyond our descendants
	gaveUpAt   time.Duration // an adopted program has ended: until then its status may come
	hungUp     bool          // its reaper has waited for it
	others     []watched     // members of the tree that are not our children
	lost       uint64        // a program started since that tick may live, but which is it?
	launched   uint64        // sum of the launch keys of the last start, 0 when unknown
	oomKills   uint64        // of the system, when last looked at
	oomCounted bool          // it was looked at
	beat       readiness

	fds   []unix.PollFd
	count int // events since the last garbage collection

	room struct {
		last    [event.Max]byte
		control [1024]byte
		scratch [8192]byte // of one function at a time, as long as it runs
		fds     [onOthers]unix.PollFd
		attr    syscall.ProcAttr
		sys     syscall.SysProcAttr
	}
	ownSpec spec.Spec       // where spec points to
	shown   statedir.Status // what writeStatus writes; here since the stack would grow by it
	last    []byte          // the last event line, as it was sent
	owes    bool            // or is to be
}

// newHelper is a helper in STOPPED with nothing to keep yet.
func newHelper() *helper {
	h := &helper{place: -1, control: -1, word: -1, pidfd: -1, stage: -1, stdio: [2]int{1, 2}, heldLogs: [2]int{-1, -1}, beat: readiness{fd: -1}}
	h.out.fd = -1
	h.effects, h.wish, h.asked, h.cure = h, statedir.WishNone, "user", "auto"
	h.fds = h.room.fds[:]
	h.umask = unix.Umask(0)
	unix.Umask(h.umask)
	var err error
	if h.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		die.Fatal(die.Temporary, "unable to open /dev/null", err)
	}
	if h.reaper, err = newReaper(); err != nil {
		die.Fatal(die.Temporary, "unable to make an eventfd", err)
	}
	return h
}

func (h *helper) name() string { return h.spec.Name }

func (h *helper) now() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// A written is what of the helper's state the status file shows; commands
// that change it without an event are published by comparing it.
type written struct {
	wish string
	seq  int
}

// announce publishes the status, then sends the event, so that whoever reads
// the status because of the event finds it.
func (h *helper) announce() {
	h.payUp()
	h.last = h.line.Append(h.room.last[:0])
	h.publish()
	pause("published")
	h.out.send(h.last)
	pause("sent")
	h.count++
}

// owe puts off an event until the program that ended is started again: to
// send it wakes tmd, which would take the processor from the fork, and the
// status with it is that of the record. Of a helper that dies before it has
// paid tmd finds the event there.
func (h *helper) owe() {
	h.last = h.line.Append(h.room.last[:0])
	h.owes = true
}

func (h *helper) payUp() {
	if h.owes {
		h.owes = false
		h.out.send(h.last)
		h.count++
	}
}

// sayStopped is what the status of a new instance says: it begins with an
// event always, though nothing happened yet, which pid=0 tells.
func (h *helper) sayStopped() {
	h.tell(event.Stopped).Int("pid", 0)
	h.last = h.line.Append(h.room.last[:0])
}

// publish writes the status file. What fails is tried again in a second; the
// helper knows its state without the file.
func (h *helper) publish() {
	if h.dir == "" {
		return
	}
	h.restatus = 0
	if h.writeStatus(h.last, h.lost) != nil {
		h.restatus = h.now() + time.Second
	}
}

// record writes what a later helper needs to find a program whose pid this
// one did not live to write down.
func (h *helper) record() error {
	if !h.oomCounted {
		h.countOOM()
	}
	h.chooseReady()
	if h.dir == "" {
		return nil
	}
	pause("before")
	h.launched = h.spec.Sums.Launch
	since := procfs.Ticks()
	if !h.owes {
		h.tell(event.Starting).Int("pid", 0).Int("since", int(since))
		h.last = h.line.Append(h.room.last[:0])
	}
	err := h.writeStatus(h.last, since)
	pause("recorded")
	return err
}

func (h *helper) writeStatus(eventLine []byte, since uint64) error {
	s := &h.shown
	s.State, s.Wish, s.PID, s.Boot = h.state.String(), h.wish, h.pid, h.boot
	s.Began, s.Due, s.Died = h.began.Milliseconds(), h.due.Milliseconds(), h.ended.Milliseconds()
	s.Try, s.Restarts, s.Seq, s.Then = h.try, h.restarts, h.seq, int(h.then)
	s.Start, s.Since, s.Group, s.Notify = h.startTicks, since, h.group, h.beat.name
	s.Ready, s.Leaving, s.End = h.isReady, h.leaving, h.end.status()
	s.Launched, s.Keys = h.launched, h.spec.Sums.All
	switch {
	case h.detail != "":
		s.Detail = h.detail
	case h.halted != 0:
		s.Detail = suspendedBy + signame.Of(h.halted)
	default:
		s.Detail = h.beat.text
	}
	text := s.Append(h.room.scratch[:0], eventLine[:len(eventLine)-1])
	err := h.place.Publish("status", text)
	if err == nil {
		h.written = written{h.wish, h.seq}
	}
	return err
}
