package main

import (
	"slices"
	"strconv"
	"time"

	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// A member is one living process of the program's tree.
type member struct {
	pid   int
	start uint64
}

// watched is a process of the tree that is not our child, so that its end
// must be seen by its pidfd.
type watched struct {
	member
	fd int
}

// members returns the living processes of the tree, the program among them.
// Under stopgroup `group` these are the ones of its process group, wherever
// they hang.
func (h *helper) members() []member {
	self := unix.Getpid()
	pids := procfs.Descendants(self)
	if h.foreign {
		pids = h.adoptedTree(pids)
	}
	var found []member
	for _, pid := range pids {
		s, err := procfs.ReadStat(pid)
		if err != nil || s.Dead() || pid == self {
			continue
		}
		if h.spec.StopGroup == spec.Group && s.Group != h.group {
			continue
		}
		found = append(found, member{pid, s.Start})
	}
	return found
}

// signalProgram signals the program, or under stopgroup `group` its group.
// The number cannot name another process: it is our unwaited child, or its
// pidfd says that it has not ended.
func (h *helper) signalProgram(sig unix.Signal) {
	if h.pid == 0 || h.pidfd < 0 {
		return
	}
	if h.spec.StopGroup == spec.Group && procfs.SignalPidfd(h.pidfd, 0) == nil {
		unix.Kill(-h.group, sig)
		return
	}
	procfs.SignalPidfd(h.pidfd, sig)
}

// signalRest signals all of the tree but the program, and lets it go on if it
// was stopped, since a stopped process hears nothing but SIGKILL.
//
// What is being killed can still have forked before it was. A process with a
// pending SIGKILL forks no more (fork(2) restarts and the signal comes
// first), so the tree is walked until a walk finds nobody new.
func (h *helper) signalRest(sig unix.Signal) {
	done := map[member]bool{}
	for found, walks := true, 0; found && walks < maxWalks; walks++ {
		found = false
		for _, m := range h.members() {
			if m.pid == h.pid || done[m] {
				continue
			}
			done[m], found = true, sig == unix.SIGKILL
			h.signalMember(m, sig)
		}
	}
	h.watch(h.rest())
}

// maxWalks bounds the race with a program that forks as fast as it can.
const maxWalks = 100

// signalMember sends SIGCONT too, for what is stopped (signal(7)).
func (h *helper) signalMember(m member, sig unix.Signal) {
	fd, err := procfs.OpenPidfd(m.pid, m.start)
	if err == unix.EMFILE || err == unix.ENFILE {
		// Better by its number, which was its own a moment ago, than never.
		unix.Kill(m.pid, sig)
		unix.Kill(m.pid, unix.SIGCONT)
		return
	}
	if err != nil {
		return // ended meanwhile
	}
	procfs.SignalPidfd(fd, sig)
	procfs.SignalPidfd(fd, unix.SIGCONT)
	if h.foreign && !h.watches(m) {
		// On its way out it may show nothing more to know it by.
		h.others = append(h.others, watched{m, fd})
		return
	}
	unix.Close(fd)
}

// follow takes the one child that the ended program left as the program.
func (h *helper) follow() bool {
	self := unix.Getpid()
	var only procfs.Stat
	for _, m := range h.members() {
		s, err := procfs.ReadStat(m.pid)
		if err != nil || s.PPID != self {
			continue
		}
		if only.PID != 0 {
			return false
		}
		only = s
	}
	return only.PID != 0 && h.take(only)
}

// take makes a living child of ours the program.
func (h *helper) take(s procfs.Stat) bool {
	fd, err := procfs.OpenPidfd(s.PID, s.Start)
	if err != nil {
		return false
	}
	h.closePidfd()
	h.pid, h.startTicks, h.pidfd, h.group = s.PID, s.Start, fd, s.Group
	return true
}

// stuck tells what SIGKILL did not end: "still not gone (state D): pid 12".
// Whom it could not see, for want of descriptors, it could not kill either, and
// that is tried again.
func (h *helper) stuck() string {
	text := "still not gone"
	if !canLook() {
		h.due = h.now() + time.Second
		return text
	}
	if h.spec.StopGroup != spec.Process {
		h.signalRest(unix.SIGKILL) // it may not have seen them then
	}
	for _, m := range h.members() {
		s, err := procfs.ReadStat(m.pid)
		if err != nil || s.Dead() {
			continue
		}
		text = "still not gone (state " + string(rune(s.State)) + "): pid " + strconv.Itoa(m.pid)
		if s.State == 'D' {
			break
		}
	}
	return text
}

// rest is what lives of the tree beside the program.
func (h *helper) rest() []member {
	found := slices.DeleteFunc(h.members(), func(m member) bool { return m.pid == h.pid })
	for _, m := range h.leavers() {
		if !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	return found
}

// watch holds a pidfd on each member of a tree that is not below us: nothing
// else tells its end.
func (h *helper) watch(rest []member) {
	if !h.foreign || h.spec.StopGroup == spec.Process {
		return
	}
	for _, m := range rest {
		if h.watches(m) {
			continue
		}
		if fd, err := procfs.OpenPidfd(m.pid, m.start); err == nil {
			h.others = append(h.others, watched{m, fd})
		}
	}
}

// leavers are processes that may be of an adopted tree, but have given up their
// memory, and with it the environment to know them by, while they still have
// their files and locks: what our parent inherited and is ending. It is waited
// for, whosesoever it was, since it takes no longer than its exit.
func (h *helper) leavers() []member {
	if !h.foreign || h.spec.StopGroup != spec.Tree {
		return nil
	}
	var found []member
	for _, pid := range procfs.Children(unix.Getppid()) {
		s, err := procfs.ReadStat(pid)
		if err == nil && s.Exiting && !s.Dead() && s.Start >= h.startTicks {
			found = append(found, member{pid, s.Start})
		}
	}
	return found
}

func (h *helper) watches(m member) bool {
	for _, o := range h.others {
		if o.member == m {
			return true
		}
	}
	return false
}

// dropEnded closes the pidfds of those that have ended.
func (h *helper) dropEnded() {
	kept := h.others[:0]
	for _, o := range h.others {
		if procfs.PidfdExited(o.fd) {
			unix.Close(o.fd)
		} else {
			kept = append(kept, o)
		}
	}
	h.others = kept
}

func (h *helper) closeOthers() {
	for _, o := range h.others {
		unix.Close(o.fd)
	}
	h.others = nil
}
