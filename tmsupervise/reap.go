package main

import (
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// A reaper tells the loop that a child has ended, or was stopped by a signal or
// let go on. The helper is a subreaper,
// so what the program leaves behind becomes its child too and must be waited
// for, whatever its pid.
//
// signalfd is not to be had from Go, which unblocks SIGCHLD everywhere, and
// os/signal costs 50 kB and three threads a copy. So one goroutine blocks in
// waitid with WNOWAIT, tells the loop through an eventfd, and waits until the
// loop has taken all such news before it looks again.
type reaper struct {
	fd    int           // eventfd that is readable when there may be news of a child
	again chan struct{} // the loop to the goroutine: look again
	armed bool          // the goroutine is looking, or about to
}

func newReaper() (*reaper, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	r := &reaper{fd: fd, again: make(chan struct{}, 1)}
	go r.wait()
	return r, nil
}

// wait must block in unix.Waitid, which tells the scheduler, never in a
// RawSyscall, which makes the runtime preempt it for ever.
func (r *reaper) wait() {
	one := [8]byte{1}
	for range r.again {
		for unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WSTOPPED|unix.WCONTINUED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		unix.Write(r.fd, one[:])
	}
}

// arm makes the goroutine look for news of a child.
func (r *reaper) arm() {
	if !r.armed {
		r.armed = true
		r.again <- struct{}{}
	}
}

// heard takes the goroutine's message, if there is one.
func (r *reaper) heard() {
	var count [8]byte
	if n, _ := unix.Read(r.fd, count[:]); n == len(count) {
		r.armed = false
	}
}

// reap takes every dead child, tells the machine if the program was among
// them, and looks whether its tree is gone.
func (h *helper) reap() {
	h.reaper.heard()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG|unix.WUNTRACED|unix.WCONTINUED, nil)
		if err == unix.EINTR {
			continue
		}
		if pid <= 0 {
			h.childless = err == unix.ECHILD
			break
		}
		switch {
		case pid != h.pid || h.adopted:
		case status.Stopped():
			h.suspended(status.StopSignal())
		case status.Continued():
			h.suspended(0)
		default:
			h.programDied(endingOf(status))
		}
	}
	h.checkAdopted()
	h.checkGone()
	if !h.childless {
		h.reaper.arm()
	}
}

// suspendedBy is the detail of a program that a signal has stopped where it is,
// before the signal's name.
const suspendedBy = "suspended by SIG"

// suspended notes the signal that stopped the program where it is, as SIGSTOP
// and a terminal's ^Z do, or 0 when it goes on. It lives, so its state stays;
// but who wonders why it does nothing is told.
func (h *helper) suspended(by unix.Signal) {
	h.halted = by
	h.heed()
}

// programDied hands the end of the program to the machine. A stage that could
// not become the program has told why before it died.
func (h *helper) programDied(end ending) {
	h.readStage()
	h.closePidfd()
	h.adopted, h.gaveUpAt, h.halted = false, 0, 0
	h.oomCheck(&end)
	in := died
	if h.staged && h.report != nil {
		end, in = *h.stageFailure(), failed
	}
	h.staged, h.report = false, nil
	h.takeEnd(end)
	h.childless = false // unknown until the next look
	h.step(in)
	if h.pid == 0 {
		h.closeReady()
	}
}

// left counts the living rest of the program's tree. Who cannot look, for want
// of descriptors, must not take it for gone: a second copy would be started
// beside it.
func (h *helper) left() int {
	if !h.foreign && noChildren() {
		return 0
	}
	rest := h.rest()
	h.watch(rest)
	h.dropEnded()
	n := max(len(rest), len(h.others))
	if n == 0 && !canLook() {
		return 1
	}
	return n
}

func canLook() bool {
	_, err := procfs.ReadStat(unix.Getpid())
	return err == nil
}

// noChildren asks the kernel, which is much cheaper than a walk of /proc: as
// the helper is a subreaper, no children means no descendants.
func noChildren() bool {
	return unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil) == unix.ECHILD
}

// checkGone tells the machine when nothing is left of a tree that it is
// ending.
func (h *helper) checkGone() {
	h.dropEnded()
	if h.pid != 0 || h.state != stopping && h.state != sweeping {
		return
	}
	if h.isGone() {
		h.closeOthers()
		h.step(gone)
	}
}

// isGone does not walk /proc where the kernel's word is enough: ten thousand
// processes may be ending.
func (h *helper) isGone() bool {
	if h.foreign || h.spec.StopGroup != spec.Tree {
		return h.left() == 0
	}
	return noChildren()
}

func (h *helper) closePidfd() {
	if h.pidfd >= 0 {
		unix.Close(h.pidfd)
		h.pidfd, h.hungUp = -1, false
	}
}
