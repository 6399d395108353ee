package main

import (
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/timerslack"

	"golang.org/x/sys/unix"
)

// spawn starts the program: straight by fork and exec where that is enough,
// else through an exec stage, which answers later.
func (h *helper) spawn() (int, *ending) {
	h.foreign, h.adopted, h.lost = false, false, 0
	h.closePidfd()
	h.holdLogs()
	// The umask is the helper's own for all but the fork and the log files
	// made for it.
	if h.spec.Umask != spec.Inherit {
		unix.Umask(h.spec.Umask)
		defer unix.Umask(h.umask)
	}
	files := programFds{null: h.null, stdio: h.stdio}
	defer files.close()
	fail := h.openReady(&files)
	if fail != nil {
		return 0, fail
	}
	pid := 0
	if h.spec.NeedsStage() {
		pid, fail = h.spawnStage(&files)
	} else {
		pid, fail = h.spawnStraight(&files)
	}
	if fail != nil {
		h.closeReady()
		return 0, fail
	}
	pause("forked")
	if s, err := procfs.ReadStatInto(pid, h.room.scratch[:]); err == nil {
		h.startTicks = s.Start
	}
	h.group, h.childless = pid, false
	h.reaper.arm()
	return pid, nil
}

// forkExec is syscall.ForkExec with the timer slack that the program is to
// have. The thread that it is set for is the one that forks: with one processor
// (GOMAXPROCS=1) a goroutine changes threads only in a call that may block. A
// thread that forked once keeps it, which does no harm: tmd gave the helper a
// coarse one for the sake of the runtime's monitor, which never forks.
func (h *helper) forkExec(path string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	if ns := h.spec.TimerSlack; ns != 0 {
		timerslack.Set(ns)
	}
	return syscall.ForkExec(path, argv, attr)
}

func (h *helper) spawnStraight(files *programFds) (int, *ending) {
	if fail := files.open(h.spec, nil); fail != nil {
		return 0, fail
	}
	env := h.readyEnv(h.spec.Env)
	path, fail := find(h.spec)
	if fail != nil {
		return 0, fail
	}
	h.pidfd = -1
	h.room.sys.Setsid, h.room.sys.PidFD = true, &h.pidfd
	h.room.attr = syscall.ProcAttr{Dir: h.spec.Dir, Env: env, Files: files.list(), Sys: &h.room.sys}
	pid, err := h.forkExec(path, h.spec.Cmd, &h.room.attr)
	if err == nil {
		return pid, nil
	}
	errno, _ := err.(syscall.Errno)
	return 0, culprit(h.spec, path, errno)
}

// isShortage tells the errors of a system that lacks something for now; they
// are not the program's fault and use up no retry.
func isShortage(errno syscall.Errno) bool {
	switch errno {
	case unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.ETXTBSY, unix.ENOSPC, unix.EDQUOT:
		return true
	}
	return false
}

// failure is an ending that never was a life: "cannot VERB: why".
func failure(what string, errno syscall.Errno) *ending {
	return &ending{reason: "cannot " + what + ": " + die.Errno(errno), shortage: isShortage(errno)}
}
