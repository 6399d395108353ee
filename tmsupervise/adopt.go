package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// statusWait is how long the exit status of an adopted program is waited for:
// its reaper, init or tmd, has to wait for it first.
const statusWait = 100 * time.Millisecond

// resume takes up what the helper before this one left: its wishes and
// counts, and the program if it lives. Status and lock are the truth; the
// status is believed only when it is of this boot.
func (h *helper) resume() {
	was, err := h.place.ReadStatus("status")
	if err == unix.ENOENT && !h.losesSight() {
		return // it never had a helper that came to start anything
	}
	if err != nil {
		// Nobody knows what runs, so all of the program's age may be it.
		h.lost = unknownSince
		h.findLost()
		return
	}
	if was.Boot != h.boot {
		return
	}
	h.remember(&was)
	s := stateNamed(was.State)
	switch {
	case was.PID != 0:
		h.adopt(was.PID, was.Start, s)
	case was.Since != 0:
		h.findLost()
	default:
		h.resumeWithout(s)
	}
}

// losesSight reports whether a program may run that is surely ours though there
// is no status, which somebody has removed then.
func (h *helper) losesSight() bool {
	if !h.follows {
		return false
	}
	h.lost = unknownSince
	sure, _, err := h.candidates()
	h.lost = 0
	return len(sure) > 0 || err != nil
}

// remember takes over what a status tells.
func (h *helper) remember(was *statedir.Status) {
	h.wish, h.seq, h.restarts, h.try = was.Wish, was.Seq, was.Restarts, was.Try
	h.began, h.due, h.ended = ms(was.Began), ms(was.Due), ms(was.Died)
	h.detail, h.then, h.isReady = was.Detail, outcome(was.Then), was.Ready
	if strings.HasPrefix(h.detail, suspendedBy) {
		h.detail = "" // that it goes on is told to a parent only
	}
	h.lost, h.startTicks, h.group, h.beat.name = was.Since, was.Start, was.Group, was.Notify
	h.leaving, h.launched = was.Leaving, was.Launched
	h.last = was.Event.Append(h.room.last[:0])
	h.end.pid, h.remains = was.Event.Int("pid"), was.Event.Int("left")
	if status, err := strconv.Atoi(was.End); err == nil && h.ended != 0 {
		pid := h.end.pid
		h.end = endingOf(unix.WaitStatus(status))
		h.end.pid = pid
	}
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func stateNamed(name string) state {
	return state(max(0, slices.Index(stateNames[:], name)))
}

// resumeWithout goes on in a state in which no program ran.
func (h *helper) resumeWithout(s state) {
	h.state = s
	switch s {
	case starting, running:
		// No helper writes this: a program without a pid.
		h.then = thenAgain
	case stopping: // the rest of the tree was being ended
	default:
		h.leaving = false // it had left
		return
	}
	h.resumeStopping()
	h.foreign = true
	h.checkGone()
}

// resumeStopping goes on with what was being ended. An end that no user asked
// for is still to be told; no deadline means that SIGKILL was sent long ago.
func (h *helper) resumeStopping() {
	h.state = stopping
	h.unsaid = h.then != thenStopped && h.then != thenRestart
	h.killed = h.due == 0
}

// adopt takes over the program that a status names.
func (h *helper) adopt(pid int, start uint64, s state) {
	h.pid, h.startTicks, h.state, h.lost = pid, start, s, 0
	h.adopted, h.foreign = true, true
	if s != starting && s != running {
		h.resumeStopping()
		h.blame = h.detail
	}
	if h.group == 0 {
		h.group = pid
	}
	fd, err := procfs.OpenPidfd(pid, start)
	if errno, _ := err.(unix.Errno); isShortage(errno) {
		cannotLook(err)
	}
	if err != nil || procfs.PidfdExited(fd) {
		// It died while nobody looked. tmd may have waited for it.
		h.pidfd = fd
		h.gaveUpAt = h.now() + statusWait
		return
	}
	h.pidfd = fd
	h.reopenReady()
	h.tell(event.Adopted).Int("pid", pid)
	h.announce()
}

// programEvents: the pidfd of a program that has ended is readable; once that
// was seen of an adopted one, only the hang-up is of interest, which says
// that its reaper has waited for it and its status may be asked for.
func (h *helper) programEvents() int16 {
	if h.gaveUpAt != 0 {
		return 0
	}
	return unix.POLLIN
}

// programFd is what to poll of the program. After the hang-up, which stays, a
// kernel that tells no status (before Linux 6.15) has nothing more to say.
func (h *helper) programFd() int {
	if h.hungUp {
		return -1
	}
	return h.pidfd
}

// checkAdopted looks whether an adopted program has ended, and whether its
// status is to be had by now.
func (h *helper) checkAdopted() {
	if !h.adopted || h.pidfd < 0 || h.pid == 0 || !procfs.PidfdExited(h.pidfd) {
		return
	}
	h.hungUp = h.gaveUpAt != 0 && h.fds[onProgram].Revents&unix.POLLHUP != 0
	if status, ok := procfs.PidfdStatus(h.pidfd); ok {
		h.programDied(endingOf(status))
	} else if h.gaveUpAt == 0 {
		h.gaveUpAt = h.now() + statusWait
	}
}

// endAdopted gives up waiting for the status.
func (h *helper) endAdopted() {
	h.gaveUpAt = 0
	end := ending{}
	if status, ok := procfs.PidfdStatus(h.pidfd); ok {
		end = endingOf(status)
	}
	h.programDied(end)
	h.checkGone()
}

// reapedByTmd takes the status of an adopted program that tmd, as its
// subreaper, has waited for.
func (h *helper) reapedByTmd(args []string) bool {
	if len(args) != 2 {
		return false
	}
	pid, err1 := strconv.Atoi(args[0])
	status, err2 := strconv.Atoi(args[1])
	if err1 != nil || err2 != nil {
		return false
	}
	if h.adopted && h.pid != 0 && pid == h.pid {
		h.programDied(endingOf(unix.WaitStatus(status)))
		h.checkGone()
	}
	return true
}
