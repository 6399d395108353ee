package main

import (
	"strconv"

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
func (h *helper) signalRest(sig unix.Signal) {
	for _, m := range h.members() {
		if m.pid == h.pid {
			continue
		}
		fd, err := procfs.OpenPidfd(m.pid, m.start)
		if err != nil {
			continue
		}
		procfs.SignalPidfd(fd, sig)
		if sig != unix.SIGKILL {
			procfs.SignalPidfd(fd, unix.SIGCONT)
		}
		unix.Close(fd)
	}
	h.watchOthers()
}

// follow takes the one child that the ended program left as the program.
func (h *helper) follow() bool {
	self, only := unix.Getpid(), 0
	for _, m := range h.members() {
		s, err := procfs.ReadStat(m.pid)
		if err != nil || s.PPID != self {
			continue
		}
		if only != 0 {
			return false
		}
		only = m.pid
	}
	return only != 0 && h.take(only)
}

// stuck tells what SIGKILL did not end: "still not gone (state D): pid 12".
func (h *helper) stuck() string {
	for _, m := range h.members() {
		s, err := procfs.ReadStat(m.pid)
		if err == nil && !s.Dead() {
			return "still not gone (state " + string(rune(s.State)) + "): pid " + strconv.Itoa(m.pid)
		}
	}
	return "still not gone"
}

// watchOthers holds a pidfd on each member of the tree that is not below us.
func (h *helper) watchOthers() {
	if !h.foreign {
		return
	}
	for _, m := range h.members() {
		if m.pid == h.pid || h.watches(m) {
			continue
		}
		if fd, err := procfs.OpenPidfd(m.pid, m.start); err == nil {
			h.others = append(h.others, watched{m, fd})
		}
	}
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
