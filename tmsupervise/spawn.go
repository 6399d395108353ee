package main

import (
	"strconv"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// spawn starts the program: straight by fork and exec where that is enough,
// else through an exec stage, which answers later.
func (h *helper) spawn() (int, *ending) {
	pause("recorded")
	h.foreign, h.adopted, h.lost = false, false, 0
	h.closePidfd()
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
	if s, err := procfs.ReadStat(pid); err == nil {
		h.startTicks = s.Start
	}
	h.group, h.childless = pid, false
	h.reaper.arm()
	return pid, nil
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
	pid, err := syscall.ForkExec(path, h.spec.Cmd, &syscall.ProcAttr{
		Dir: h.spec.Dir, Env: env, Files: files.list(),
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &h.pidfd},
	})
	if err == nil {
		return pid, nil
	}
	errno, _ := err.(syscall.Errno)
	return 0, culprit(h.spec, path, errno)
}

// shortages are the errors of a system that lacks something for now; they
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

// programFds are the descriptors that a program is started with: 0, 1, 2 and,
// for one that tells that it is ready, one more.
type programFds struct {
	null     int
	stdio    [2]int // the helper's own, for `inherit`
	out, err int    // opened here, 0 when not
	ready    int    // writing end for readiness, 0 when there is none
	readyAs  int    // the number that the program finds it under
	std      [2]int // what becomes 1 and 2
}

// open opens what stdout and stderr name, except those that skip says the
// exec stage opens itself.
func (f *programFds) open(s *spec.Spec, skip func(spec.Output) bool) *ending {
	var fail *ending
	f.std[0], f.out, fail = f.openOne(s.Stdout, 0, skip)
	if fail != nil {
		return fail
	}
	if s.Stderr.Kind == spec.SameAsOut {
		f.std[1] = f.std[0]
		return nil
	}
	f.std[1], f.err, fail = f.openOne(s.Stderr, 1, skip)
	return fail
}

func (f *programFds) openOne(o spec.Output, index int, skip func(spec.Output) bool) (use, opened int, fail *ending) {
	switch {
	case o.Kind == spec.InheritFile:
		return f.stdio[index], 0, nil
	case o.Path == "" || skip != nil && skip(o):
		return f.null, 0, nil
	}
	fd, err := openOutput(o)
	if err != nil {
		return 0, 0, failure("open log "+o.Path, err.(syscall.Errno))
	}
	return fd, fd, nil
}

// list is the descriptors in their order; the gap below a readiness
// descriptor stays closed (a ^0 is one that ForkExec closes).
func (f *programFds) list() []uintptr {
	fds := []uintptr{uintptr(f.null), uintptr(f.std[0]), uintptr(f.std[1])}
	if f.ready > 0 {
		for len(fds) < f.readyAs {
			fds = append(fds, ^uintptr(0))
		}
		fds = append(fds, uintptr(f.ready))
	}
	return fds
}

func (f *programFds) close() {
	for _, fd := range []int{f.out, f.err, f.ready} {
		if fd > 0 {
			unix.Close(fd)
		}
	}
}

// openOutput opens the file or FIFO that an output names. A path through a
// directory that others may write to is not followed over a symbolic link
// they may have planted. A FIFO that nobody reads is an error, not a wait.
func openOutput(o spec.Output) (int, error) {
	flags := unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NONBLOCK | unix.O_NOCTTY
	if o.Kind == spec.Log {
		// The program itself holds the reading side, so that no death of a
		// keeper gives it SIGPIPE or loses what the pipe holds.
		flags = unix.O_RDWR | unix.O_NONBLOCK
	}
	if !trusted(o.Path) {
		flags |= unix.O_NOFOLLOW
	}
	for {
		fd, err := unix.Open(o.Path, flags|unix.O_CLOEXEC, 0o644)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, err
		}
		unix.SetNonblock(fd, false)
		return fd, nil
	}
}

// trusted reports whether no directory of the path is writable by others than
// root or the caller.
func trusted(path string) bool {
	if path == "" || path[0] != '/' {
		cwd, err := unix.Getwd()
		if err != nil {
			return false
		}
		path = cwd + "/" + path
	}
	for at := 0; at < len(path); at++ {
		if path[at] != '/' {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(path[:at+1], &st) != nil {
			return false
		}
		if st.Mode&0o022 != 0 || st.Uid != 0 && int(st.Uid) != unix.Geteuid() {
			return false
		}
	}
	return true
}

// itoa keeps the lines that join numbers readable.
func itoa(n int) string { return strconv.Itoa(n) }
