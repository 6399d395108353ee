package main

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"taskmaster/lib/procfs"
	"taskmaster/lib/timerslack"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// children are the processes that tmd started, and those it inherited as a
// subreaper or as PID 1. There is one reaper, so nothing here may wait for a
// child by itself once the loop runs, as os/exec does.
type children struct {
	d     *daemon
	ours  map[int]func(unix.WaitStatus) // by pid: what to do at its end
	ended map[process]unix.WaitStatus   // the last strangers that were waited for
	queue []process                     // the same, oldest first
}

// A process is a pid that cannot be mistaken for a later one.
type process struct {
	pid   int
	start uint64 // ticks after boot
}

// remembered is how many ended strangers are kept, for helpers that will ask
// how an adopted program ended.
const remembered = 4096

func newChildren(d *daemon) *children {
	c := &children{d: d, ours: map[int]func(unix.WaitStatus){}, ended: map[process]unix.WaitStatus{}}
	told := make(chan os.Signal, 1)
	signal.Notify(told, unix.SIGCHLD)
	go func() {
		for range told {
			d.do(c.reap)
		}
	}()
	c.reap() // what ended while tmd replaced itself
	return c
}

// reap waits for every child that has ended. At a stranger it looks before it
// waits, since its start time is to be had only while it is a zombie.
func (c *children) reap() {
	for {
		pid, ok := nextEnded()
		if !ok {
			return
		}
		then := c.ours[pid]
		var stat procfs.Stat
		if then == nil {
			stat, _ = procfs.ReadStat(pid)
		}
		var status unix.WaitStatus
		if got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil); err != nil || got != pid {
			return
		}
		if then != nil {
			delete(c.ours, pid)
			then(status)
			continue
		}
		who := process{pid, stat.Start}
		c.remember(who, status)
		c.d.inheritedEnded(who, status)
	}
}

func nextEnded() (pid int, ok bool) {
	var info unix.Siginfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || info.Signo == 0 {
			return 0, false
		}
		return siginfoChild(&info), true
	}
}

func (c *children) remember(who process, status unix.WaitStatus) {
	if len(c.queue) >= remembered {
		delete(c.ended, c.queue[0])
		c.queue = c.queue[1:]
	}
	c.ended[who] = status
	c.queue = append(c.queue, who)
}

// A child is how to start one of our own programs.
type child struct {
	path  string
	argv  []string
	env   []string
	files [3]int
	more  []int // descriptors 3 and on
	pidfd *int
	slack int // timer slack in ns, 0 for tmd's own
}

// start forks and execs; ended runs in the loop when the process has ended.
func (c *children) start(what child, ended func(unix.WaitStatus)) (pid int, err error) {
	files := []uintptr{uintptr(what.files[0]), uintptr(what.files[1]), uintptr(what.files[2])}
	for _, fd := range what.more {
		files = append(files, uintptr(fd))
	}
	return c.forkExec(what.slack, what.path, what.argv, &syscall.ProcAttr{
		Env: what.env, Files: files,
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: what.pidfd},
	}, ended)
}

func (c *children) forkExec(slack int, path string, argv []string, attr *syscall.ProcAttr, ended func(unix.WaitStatus)) (pid int, err error) {
	pid, err = timerslack.ForkExec(slack, path, argv, attr)
	if err == nil {
		c.ours[pid] = ended
	}
	return pid, err
}

// fork starts a command that is searched in the PATH of its own environment.
func (c *children) fork(argv []string, attr *syscall.ProcAttr, ended func(unix.WaitStatus)) (pid int, err error) {
	path := argv[0]
	if !strings.Contains(path, "/") {
		path = lookUp(path, attr.Env)
	}
	return c.forkExec(0, path, argv, attr, ended)
}

// lookUp searches a program in the PATH of an environment; one that is not
// found stays as it is.
func lookUp(name string, env []string) string {
	for _, entry := range env {
		dirs, ok := strings.CutPrefix(entry, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range strings.Split(dirs, ":") {
			if path := dir + "/" + name; dir != "" && unix.Access(path, unix.X_OK) == nil {
				return path
			}
		}
	}
	return name
}

// ownProgram is where one of taskmaster's programs is: beside tmd, else in
// PATH.
func (d *daemon) ownProgram(name string) string {
	path := d.home + "/" + name
	if unix.Access(path, unix.X_OK) == nil {
		return path
	}
	if found := lookUp(name, d.env); found != name {
		return found
	}
	return path
}
