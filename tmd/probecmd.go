package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/signame"

	"golang.org/x/sys/unix"
)

// probeMark is the variable by which a probe's command and all that it starts
// are known, whatever session they move to.
const probeMark = "TM_PROBE"

var lastProbe atomic.Int64

// A mark tells the processes of one probe.
type mark struct {
	entry string // of their environment
	since uint64 // no process of it is older, in ticks after boot
}

// of reports whether a living process is of the probe, and when it started.
func (m mark) of(pid int) (start uint64, ok bool) {
	s, err := procfs.ReadStat(pid)
	if err != nil || s.Dead() || s.Start < m.since {
		return 0, false
	}
	return s.Start, procfs.HasEnv(pid, m.entry)
}

// command runs a command with the program's environment, user and directory;
// exit code 0 is good. Nothing of it is left when the answer comes.
func (p *prober) command(ctx context.Context, argv []string, in *config.Instance) error {
	mark := mark{probeMark + "=" + strconv.FormatInt(lastProbe.Add(1), 10), procfs.Ticks()}
	ended := make(chan unix.WaitStatus, 1)
	pid := 0
	var err error
	p.d.ask(func() {
		err = onBoundThread(in, func() (err error) {
			pid, err = p.d.children.fork(argv, p.d.commandAttr(in, mark.entry), func(s unix.WaitStatus) { ended <- s })
			return err
		})
	})
	if err != nil {
		return errors.New(die.Reason(err))
	}
	select {
	case status := <-ended:
		p.endRest(mark)
		return verdict(status)
	case <-ctx.Done():
		p.d.ask(func() { p.d.children.killGroup(pid) })
	}
	// What hangs in the kernel may take its time to end; nobody waits for it.
	go func() {
		<-ended
		p.endRest(mark)
	}()
	return errTimedOut
}

func verdict(status unix.WaitStatus) error {
	switch {
	case status.Signaled():
		return errors.New("killed by SIG" + signame.Of(status.Signal()))
	case status.ExitStatus() != 0:
		return errors.New("exit " + itoa(status.ExitStatus()))
	}
	return nil
}

// killGroup kills a child that leads its own group, and the group; it runs in
// the loop. A child that was not waited for keeps its number.
func (c *children) killGroup(pid int) {
	if c.ours[pid] != nil {
		unix.Kill(-pid, unix.SIGKILL)
	}
}

// endRest kills what an ended command left behind: as tmd is a subreaper, all
// of it hangs below tmd. Few commands leave anything, so one look at tmd's
// children must do for the others.
func (p *prober) endRest(mark mark) {
	left := func(pid int) bool {
		_, ok := mark.of(pid)
		return ok
	}
	if !slices.ContainsFunc(p.strangers(), left) {
		return
	}
	for found := true; found; {
		found = false
		pids, _ := procfs.Pids()
		for _, pid := range pids {
			if start, ok := mark.of(pid); ok {
				found = endProcess(pid, start) || found
			}
		}
	}
}

// strangers are tmd's children that it did not start.
func (p *prober) strangers() []int {
	pids := procfs.Children(os.Getpid())
	p.d.ask(func() {
		pids = slices.DeleteFunc(pids, func(pid int) bool { return p.d.children.ours[pid] != nil })
	})
	return pids
}

// endProcess kills a process and waits for its end, but not for ever; it
// reports whether there is hope.
func endProcess(pid int, start uint64) bool {
	fd, err := procfs.OpenPidfd(pid, start)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	procfs.SignalPidfd(fd, unix.SIGKILL)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Second/time.Millisecond))
	return n > 0 || err == unix.EINTR
}

// commandAttr is how a probe's command is started: as the program's user, in
// its directory, with its environment.
func (d *daemon) commandAttr(in *config.Instance, mark string) *syscall.ProcAttr {
	null := uintptr(d.null)
	attr := &syscall.ProcAttr{
		Dir: in.WorkingDir, Env: append(d.environment(in), mark), Files: []uintptr{null, null, null},
		Sys: &syscall.SysProcAttr{Setsid: true},
	}
	if u := in.User; u != nil && os.Geteuid() == 0 {
		c := &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID)}
		for _, g := range u.Groups {
			c.Groups = append(c.Groups, uint32(g))
		}
		attr.Sys.Credential = c
	}
	return attr
}

// onBoundThread calls fork on a thread that has taken on what keeps the program
// from more rights, and that ends with it: what a program of another user can
// write must not get, as its probe, what the program was denied. The change of
// the uid in the fork takes the capabilities but for those to be inherited.
func onBoundThread(in *config.Instance, fork func() error) (err error) {
	if !in.NoNewPrivs && in.User == nil {
		return fork()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, so the thread ends
		if err = bindThread(in); err == nil {
			err = fork()
		}
	}()
	<-done
	return err
}

func bindThread(in *config.Instance) error {
	if in.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	if in.User != nil && in.User.UID != 0 {
		return inheritNothing()
	}
	return nil
}

// inheritNothing leaves the calling thread no capability to pass on by exec
// (capabilities(7)).
func inheritNothing() error {
	var held [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &held[0]); err != nil {
		return err
	}
	held[0].Inheritable, held[1].Inheritable = 0, 0
	return unix.Capset(&header, &held[0])
}
