package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// The exec stage is a second life of tmsupervise between fork and exec: it
// sets what fork and exec cannot (limits, nice, oom_score_adj, ids,
// no_new_privs) and becomes the program, or tells which step failed and why
// over a pipe that the exec closes.

// stageWord as the only argument makes tmsupervise an exec stage.
const stageWord = "-stage"

// The descriptors that a stage is started with beyond 0, 1 and 2.
const (
	stageSpec   = 3
	stageReport = 4
	stageReady  = 5
)

// spawnStage forks the stage with the spec in an anonymous file.
func (h *helper) spawnStage(files *programFds) (int, *ending) {
	// Only `inherit` is opened here; logs are the stage's business.
	if fail := files.open(h.spec, func(spec.Output) bool { return true }); fail != nil {
		return 0, fail
	}
	text, err := memoryFile(h.spec.Text())
	if err != nil {
		return 0, failure("start "+h.spec.Cmd[0], err.(syscall.Errno))
	}
	defer unix.Close(text)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, failure("start "+h.spec.Cmd[0], err.(syscall.Errno))
	}
	defer unix.Close(pipe[1])
	fds := []uintptr{uintptr(h.null), uintptr(files.std[0]), uintptr(files.std[1]), uintptr(text), uintptr(pipe[1])}
	if files.ready > 0 {
		fds = append(fds, uintptr(files.ready))
	}
	h.pidfd = -1
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"tmsupervise", stageWord}, &syscall.ProcAttr{
		Env: h.readyEnv(h.spec.Env), Files: fds,
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &h.pidfd},
	})
	if err != nil {
		unix.Close(pipe[0])
		errno, _ := err.(syscall.Errno)
		return 0, failure("start "+h.spec.Cmd[0], errno)
	}
	h.stage, h.report, h.staged = pipe[0], nil, true
	return pid, nil
}

func memoryFile(content []byte) (int, error) {
	fd, err := unix.MemfdCreate("spec", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	for done := 0; done < len(content); {
		n, err := unix.Pwrite(fd, content[done:], int64(done))
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		done += n
	}
	return fd, nil
}

// readStage takes the stage's report: a line when a step failed, the end of
// the pipe when it has become the program.
func (h *helper) readStage() {
	for h.stage >= 0 {
		n, err := unix.Read(h.stage, scratch[:])
		switch {
		case err == unix.EINTR:
		case n > 0:
			h.report = append(h.report, scratch[:n]...)
		case err == unix.EAGAIN:
			return
		default:
			unix.Close(h.stage)
			h.stage = -1
			if h.report == nil {
				h.staged = false
				h.step(execed)
			}
		}
	}
}

// stageFailure puts a report, "STEP ERRNO PATH", into words.
func (h *helper) stageFailure() *ending {
	words := strings.SplitN(strings.TrimSuffix(string(h.report), "\n"), " ", 3)
	if len(words) != 3 {
		return &ending{reason: "cannot start " + h.spec.Cmd[0] + ": its exec stage failed"}
	}
	number, _ := strconv.Atoi(words[1])
	errno, path := syscall.Errno(number), words[2]
	switch words[0] {
	case "find":
		return &ending{reason: path}
	case "exec":
		return culprit(h.spec, path, errno)
	case "chdir":
		return failure("change to directory "+path, errno)
	case "open":
		return failure("open log "+path, errno)
	}
	fail := failure("set "+words[0]+" "+path, errno)
	fail.shortage = false
	return fail
}

// runStage never returns.
func runStage() {
	// nice and no_new_privs belong to the thread that sets them; this one
	// execs.
	runtime.LockOSThread()
	report, err := unix.FcntlInt(stageReport, unix.F_DUPFD_CLOEXEC, 64)
	if err != nil {
		os.Exit(die.Temporary)
	}
	st := &stage{report: report}
	st.ready, _ = unix.FcntlInt(stageReady, unix.F_DUPFD_CLOEXEC, 64)
	text, err := procfs.ReadFile("/proc/self/fd/"+itoa(stageSpec), 16<<20)
	unix.CloseRange(3, 63, 0)
	if err != nil {
		st.fail("spec", err, "")
	}
	if st.spec, err = spec.Parse(text); err != nil {
		st.fail("spec", unix.EINVAL, "")
	}
	st.becomeProgram()
}

type stage struct {
	spec   *spec.Spec
	report int
	ready  int
}

// fail reports the step and ends the stage.
func (st *stage) fail(step string, err error, path string) {
	errno, _ := err.(syscall.Errno)
	unix.Write(st.report, []byte(step+" "+itoa(int(errno))+" "+path+"\n"))
	os.Exit(die.Temporary)
}

func (st *stage) check(step string, err error, path string) {
	if err != nil {
		st.fail(step, err, path)
	}
}

// becomeProgram takes the steps in an order in which each still has the
// rights it needs: limits may be raised and trusted logs opened only before
// the ids are given up.
func (st *stage) becomeProgram() {
	s := st.spec
	logs := openEarly(st)
	for _, l := range s.Limits {
		st.check("limit", setLimit(l), l.Name)
	}
	if s.Nice != nil {
		st.check("nice", unix.Setpriority(unix.PRIO_PROCESS, 0, *s.Nice), itoa(*s.Nice))
	}
	if s.OOMScoreAdj != nil {
		value := itoa(*s.OOMScoreAdj)
		st.check("oom_score_adj", writeFile("/proc/self/oom_score_adj", value), value)
	}
	if s.User != nil {
		st.check("groups", syscall.Setgroups(s.User.Groups), "")
		st.check("gid", syscall.Setresgid(s.User.GID, s.User.GID, s.User.GID), itoa(s.User.GID))
		st.check("uid", syscall.Setresuid(s.User.UID, s.User.UID, s.User.UID), itoa(s.User.UID))
	}
	logs.openLate(st)
	logs.install(st)
	if s.Dir != "" {
		st.check("chdir", unix.Chdir(s.Dir), s.Dir)
	}
	if s.NoNewPrivs {
		st.check("no_new_privs", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "")
	}
	if s.Ready.Kind == spec.Notify && st.ready > 0 {
		st.check("ready", unix.Dup3(st.ready, s.Ready.FD, 0), itoa(s.Ready.FD))
	}
	path, fail := find(s)
	if fail != nil {
		st.fail("find", unix.ENOENT, fail.reason)
	}
	st.check("exec", syscall.Exec(path, s.Cmd, os.Environ()), path)
}

func writeFile(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(text))
	unix.Close(fd)
	return err
}

// setLimit goes through package syscall, which forgets the NOFILE limit it
// would put back at exec.
func setLimit(l spec.Limit) error {
	which := limitNumber(l.Name)
	if which < 0 {
		return unix.EINVAL
	}
	return syscall.Setrlimit(which, &syscall.Rlimit{Cur: l.Value, Max: l.Value})
}

func limitNumber(name string) int {
	switch name {
	case "nofile":
		return unix.RLIMIT_NOFILE
	case "core":
		return unix.RLIMIT_CORE
	case "nproc":
		return unix.RLIMIT_NPROC
	case "as":
		return unix.RLIMIT_AS
	case "fsize":
		return unix.RLIMIT_FSIZE
	case "memlock":
		return unix.RLIMIT_MEMLOCK
	case "stack":
		return unix.RLIMIT_STACK
	case "data":
		return unix.RLIMIT_DATA
	case "cpu":
		return unix.RLIMIT_CPU
	case "rss":
		return unix.RLIMIT_RSS
	}
	return -1
}

// stageLogs are the logs of a program with another user: one whose path only
// root or tmd's user can change is opened with their rights, any other with
// the program's own.
type stageLogs struct {
	fds  [2]int
	late [2]bool
}

func openEarly(st *stage) *stageLogs {
	logs := &stageLogs{fds: [2]int{-1, -1}}
	for i, o := range []spec.Output{st.spec.Stdout, st.spec.Stderr} {
		if o.Path == "" {
			continue
		}
		if o.Kind == spec.Log || trusted(o.Path) {
			logs.open(st, i, o)
		} else {
			logs.late[i] = true
		}
	}
	return logs
}

func (l *stageLogs) openLate(st *stage) {
	for i, o := range []spec.Output{st.spec.Stdout, st.spec.Stderr} {
		if l.late[i] {
			l.open(st, i, o)
		}
	}
}

func (l *stageLogs) open(st *stage, i int, o spec.Output) {
	fd, err := openOutput(o)
	st.check("open", err, o.Path)
	l.fds[i] = fd
}

func (l *stageLogs) install(st *stage) {
	for i, fd := range l.fds {
		if fd >= 0 {
			st.check("open", unix.Dup3(fd, i+1, 0), "")
		}
	}
	if st.spec.Stderr.Kind == spec.SameAsOut {
		st.check("open", unix.Dup3(1, 2, 0), "")
	}
}
