package main

import (
	"os"
	"slices"
	"strconv"
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
	was, err := h.dir.ReadStatus()
	if err != nil || was.Boot != h.boot {
		return
	}
	h.wish, h.seq, h.restarts, h.try = was.Wish, was.Seq, was.Restarts, was.Try
	h.began = time.Duration(was.Began) * time.Millisecond
	h.due = time.Duration(was.Due) * time.Millisecond
	h.detail, h.lastEvent, h.then = was.Detail, was.Event, outcome(was.Then)
	h.isReady = was.Ready
	h.lost, h.startTicks, h.group, h.beat.name = was.Since, was.Start, was.Group, was.Notify
	switch {
	case was.PID == 0 && was.Since != 0:
		h.findLost()
	case was.PID != 0:
		h.adopt(was.PID, was.Start, stateNamed(was.State))
	default:
		h.resumeWithout(stateNamed(was.State))
	}
}

func stateNamed(name string) state {
	return state(max(0, slices.Index(stateNames[:], name)))
}

// resumeWithout goes on in a state in which no program ran.
func (h *helper) resumeWithout(s state) {
	h.state = s
	if s != stopping {
		return
	}
	// The rest of the tree was being ended.
	h.foreign = true
	if h.then != thenStopped && h.then != thenRestart {
		h.state = sweeping
		h.end.reason = h.detail
	}
	h.checkGone()
}

// adopt takes over the program that a status names.
func (h *helper) adopt(pid int, start uint64, s state) {
	h.pid, h.startTicks, h.state, h.lost = pid, start, s, 0
	h.adopted, h.foreign = true, true
	if h.group == 0 {
		h.group = pid
	}
	h.reopenReady()
	fd, err := procfs.OpenPidfd(pid, start)
	if err != nil {
		// It died while nobody looked. tmd may have waited for it.
		h.gaveUpAt = h.now() + statusWait
		return
	}
	h.pidfd = fd
	h.announce(event.New(time.Now(), h.name(), event.Adopted, "pid", strconv.Itoa(pid)))
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

// checkAdopted looks whether an adopted program has ended, and whether its
// status is to be had by now.
func (h *helper) checkAdopted() {
	if !h.adopted || h.pidfd < 0 || h.pid == 0 || !procfs.PidfdExited(h.pidfd) {
		return
	}
	if status, ok := procfs.PidfdStatus(h.pidfd); ok {
		h.adoptedDied(endingOf(status))
	} else if h.gaveUpAt == 0 {
		h.gaveUpAt = h.now() + statusWait
	}
}

// endAdopted gives up waiting for the status.
func (h *helper) endAdopted() {
	if status, ok := procfs.PidfdStatus(h.pidfd); ok {
		h.adoptedDied(endingOf(status))
		return
	}
	h.adoptedDied(ending{})
}

// reapedByTmd takes the status of an adopted program that tmd, as its
// subreaper, has waited for.
func (h *helper) reapedByTmd(pid, status int) {
	if h.adopted && pid == h.pid {
		h.adoptedDied(endingOf(unix.WaitStatus(status)))
	}
}

func (h *helper) adoptedDied(end ending) {
	h.gaveUpAt = 0
	h.programDied(end)
}

// findLost looks for the program that was forked, or about to be, when the
// helper before this one died. If it cannot be told which process that is,
// nothing is started.
func (h *helper) findLost() {
	found := h.candidates()
	switch len(found) {
	case 0:
		h.lost = 0
		if h.wish == statedir.WishUp || h.wish == statedir.WishRestart {
			h.asked = "retry"
			h.run(h.asked)
		} else {
			h.state = stopped
		}
	case 1:
		h.adopt(found[0].pid, found[0].start, starting)
		h.due = h.startDeadline()
	default:
		text := "cannot tell which process is the program, started nothing: pids"
		for _, m := range found {
			text += " " + strconv.Itoa(m.pid)
		}
		h.enter(fatal, 0, text, event.Fatal, "try", strconv.Itoa(h.try), "reason", text)
	}
}

// candidates are the processes that no status names, that lead their own
// session, started not before the record, and look like the program.
func (h *helper) candidates() []member {
	named := h.namedByOthers()
	mine := []string{"TM_STATE=" + h.spec.State, "TM_NAME=" + h.name()}
	executables := programFiles(h.spec)
	var sure, likely []member
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		s, err := procfs.ReadStat(pid)
		if err != nil || s.Session != pid || s.Start < h.lost || s.Dead() || slices.Contains(named, member{pid, s.Start}) {
			continue
		}
		switch {
		case procfs.HasEnv(pid, mine...):
			sure = append(sure, member{pid, s.Start})
		case procfs.HasEnvKey(pid, "TM_NAME"):
			// Another instance's.
		case procfs.UID(pid) == h.programUID() && slices.Contains(executables, procfs.Executable(pid)):
			likely = append(likely, member{pid, s.Start})
		}
	}
	if len(sure) > 0 {
		return h.topmost(sure)
	}
	return h.topmost(likely)
}

// topmost leaves out those that a candidate has made itself.
func (h *helper) topmost(found []member) []member {
	return slices.DeleteFunc(slices.Clone(found), func(m member) bool {
		s, err := procfs.ReadStat(m.pid)
		return err == nil && slices.ContainsFunc(found, func(o member) bool { return o.pid == s.PPID })
	})
}

func (h *helper) programUID() int {
	if h.spec.User != nil {
		return h.spec.User.UID
	}
	return os.Geteuid()
}

// namedByOthers are the programs that the other instances' statuses name.
func (h *helper) namedByOthers() []member {
	names, _ := procfs.Names(h.dir.State().RunDir())
	var named []member
	for _, name := range names {
		if name == h.dir.Name() {
			continue
		}
		if s, err := h.dir.State().Run(name).ReadStatus(); err == nil && s.PID != 0 && s.Boot == h.boot {
			named = append(named, member{s.PID, s.Start})
		}
	}
	return named
}

// adoptedTree adds to our descendants those of an adopted program that are
// not below us: its own descendants, its session and theirs, and what tmd
// inherited from it, told by its environment.
func (h *helper) adoptedTree(ours []int) []int {
	all, _ := procfs.Pids()
	tree := slices.Clone(ours)
	stats := make(map[int]procfs.Stat, len(all))
	for _, pid := range all {
		if s, err := procfs.ReadStat(pid); err == nil {
			stats[pid] = s
		}
	}
	self := unix.Getpid()
	mine := []string{"TM_STATE=" + h.spec.State, "TM_NAME=" + h.name()}
	for pid, s := range stats {
		if pid == self || slices.Contains(tree, pid) || s.Start < h.startTicks {
			continue
		}
		if pid == h.pid || s.Session == h.group || s.Group == h.group || procfs.HasEnv(pid, mine...) {
			tree = append(tree, pid)
		}
	}
	for i := 0; i < len(tree); i++ {
		for pid, s := range stats {
			if s.PPID == tree[i] && !slices.Contains(tree, pid) {
				tree = append(tree, pid)
			}
		}
	}
	return tree
}
