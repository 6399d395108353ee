package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"
)

// unknownSince, as the time of a spawn record, says that no record could be
// read: the program may have any age.
const unknownSince = 1

// cannotLook ends the helper: whom it cannot see it must not take for gone. The
// helper that tmd starts next looks again.
func cannotLook(err error) {
	die.Fatal(die.Temporary, "unable to look for the program", err)
}

// findLost looks for the program that was forked, or about to be, when the
// helper before this one died. If it cannot be told which process that is,
// nothing is started.
func (h *helper) findLost() {
	if h.lost == 0 {
		return
	}
	sure, likely, err := h.candidates()
	if err != nil {
		cannotLook(err)
	}
	found := sure
	if len(sure) == 0 {
		found = likely
	}
	switch {
	case len(found) == 0:
		h.lost = 0
		h.state = stopped
		if h.wish == statedir.WishUp || h.wish == statedir.WishRestart {
			h.run("retry")
		}
	case len(found) == 1 && (len(sure) == 1 || h.lost != unknownSince):
		if h.began == 0 || h.lost == unknownSince {
			h.began = h.now() - sinceTicks(found[0].start)
		}
		h.isReady = h.spec.Ready.Kind == ""
		h.adopt(found[0].pid, found[0].start, starting)
		h.due = h.startDeadline()
		h.publish()
	default:
		text := "cannot tell which process is the program, started nothing: pids"
		for _, m := range found {
			text += " " + strconv.Itoa(m.pid)
		}
		h.beFatal(text, text)
	}
}

// sinceTicks is how long ago a start time of /proc was.
func sinceTicks(start uint64) time.Duration {
	return time.Duration(procfs.Ticks()-start) * time.Second / procfs.TicksPerSecond
}

// candidates are the processes that no status names, that lead their own
// session, started not before the record, and look like the program: surely
// by their environment, or likely where they have overwritten that. The errors
// are those of a want of descriptors or memory.
func (h *helper) candidates() (sure, likely []member, err error) {
	named, err := h.namedByOthers()
	if err != nil {
		return nil, nil, err
	}
	mine := h.ownEnv()
	executables := programFiles(h.spec)
	ours := ancestors()
	pids, err := procfs.Pids()
	if err != nil {
		return nil, nil, err
	}
	for _, pid := range pids {
		s, err := procfs.ReadStat(pid)
		if lacksResource(err) {
			return nil, nil, err
		}
		one := member{pid, s.Start}
		if err != nil || s.Session != pid || s.Start < h.lost || s.Dead() || slices.Contains(named, one) {
			continue
		}
		switch {
		case procfs.HasEnv(pid, mine...):
			sure = append(sure, one)
		case procfs.HasEnvKey(pid, "TM_NAME"):
			// Another instance's.
		case isKeeper(s.PPID) && !slices.Contains(ours, s.PPID):
			// Another state directory's, whose keeper lives.
		case procfs.UID(pid) == h.programUID() && slices.Contains(executables, procfs.Executable(pid)):
			likely = append(likely, one)
		}
	}
	return topmost(sure), topmost(likely), nil
}

func lacksResource(err error) bool {
	errno, ok := err.(syscall.Errno)
	return ok && isShortage(errno)
}

// isKeeper reports whether a process is a tmd or tmsupervise.
func isKeeper(pid int) bool {
	file := procfs.Executable(pid)
	name := file[strings.LastIndexByte(file, '/')+1:]
	return name == "tmsupervise" || name == "tmd"
}

// ancestors are the processes above this one, to whom a program that lost its
// helper may have come.
func ancestors() []int {
	var found []int
	for pid := os.Getppid(); pid > 0 && !slices.Contains(found, pid); {
		found = append(found, pid)
		s, err := procfs.ReadStat(pid)
		if err != nil {
			break
		}
		pid = s.PPID
	}
	return found
}

// topmost leaves out those that a candidate has made itself.
func topmost(found []member) []member {
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

// namedByOthers are the programs that the other instances' statuses name; the
// errors are those of candidates.
func (h *helper) namedByOthers() ([]member, error) {
	names, err := procfs.Names(h.dir.State().RunDir())
	if err != nil {
		return nil, err
	}
	var named []member
	for _, name := range names {
		if name == h.dir.Name() {
			continue
		}
		s, err := h.dir.State().Run(name).ReadStatus()
		if lacksResource(err) {
			return nil, err
		}
		if err == nil && s.PID != 0 && s.Boot == h.boot {
			named = append(named, member{s.PID, s.Start})
		}
	}
	return named, nil
}
