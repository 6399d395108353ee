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
	// The stage's own environment is only what it needs, and what a later
	// helper must find in it: the program's may hold GODEBUG or GOTRACEBACK.
	env := append(h.readyEnv(h.ownEnv()), "PATH="+os.Getenv("PATH"), "GOMAXPROCS=1", "GOGC=off")
	pid, err := h.forkExec("/proc/self/exe", []string{"tmsupervise", stageWord}, &syscall.ProcAttr{
		Env: env, Files: fds,
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
		var buf [1024]byte
		n, err := unix.Read(h.stage, buf[:])
		switch {
		case err == unix.EINTR:
		case n > 0:
			h.report = append(h.report, buf[:n]...)
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
		return logFailure(path, errno)
	case "ready":
		if errno == unix.EBADF {
			return beyondLimit(h.spec.Ready.FD)
		}
	}
	fail := failure(strings.TrimSpace("set "+words[0]+" "+path), errno)
	fail.shortage = false
	return fail
}

// runStage never returns.
func runStage() {
	// nice and no_new_privs belong to the thread that sets them; this one
	// execs.
	runtime.LockOSThread()
	text, err := procfs.ReadOpen(stageSpec, specMax)
	s := new(spec.Spec)
	if err == nil {
		err = s.Read(text)
	}
	if err != nil {
		(&stage{report: stageReport}).fail("spec", unix.EINVAL, "")
	}
	// Out of the way of the descriptor that the program is to find.
	st := &stage{spec: s}
	above := stageReady + 1
	if s.Ready.FD < 64 {
		above = 64
	}
	st.report, err = unix.FcntlInt(stageReport, unix.F_DUPFD_CLOEXEC, above)
	if err != nil {
		(&stage{report: stageReport}).fail("spec", err, "")
	}
	st.ready, _ = unix.FcntlInt(stageReady, unix.F_DUPFD_CLOEXEC, above)
	unix.CloseRange(stageSpec, stageReady, 0)
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
	unix.Write(st.report, []byte(step+" "+strconv.Itoa(int(errno))+" "+path+"\n"))
	os.Exit(die.Temporary)
}

func (st *stage) check(step string, err error, path string) {
	if err != nil {
		st.fail(step, err, path)
	}
}

// becomeProgram takes the steps in an order in which each still has the
// rights it needs: limits may be raised and trusted logs opened only before
// the ids are given up. The limits that only take away come last, since until
// exec the stage is under them itself.
func (st *stage) becomeProgram() {
	s, env := st.spec, st.env()
	reserve(s.Cmd, env)
	parkThreads()
	logs := openEarly(st)
	late := st.limitEarly()
	if s.Nice != nil {
		st.check("nice", unix.Setpriority(unix.PRIO_PROCESS, 0, *s.Nice), strconv.Itoa(*s.Nice))
	}
	if s.OOMScoreAdj != nil {
		value := strconv.Itoa(*s.OOMScoreAdj)
		st.check("oom_score_adj", writeFile("/proc/self/oom_score_adj", value), value)
	}
	if s.User != nil {
		st.check("groups", syscall.Setgroups(s.User.Groups), "")
		st.check("gid", syscall.Setresgid(s.User.GID, s.User.GID, s.User.GID), strconv.Itoa(s.User.GID))
		st.check("uid", syscall.Setresuid(s.User.UID, s.User.UID, s.User.UID), strconv.Itoa(s.User.UID))
		st.check("capabilities", dropCapabilities(s.User.UID), "")
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
		st.check("ready", unix.Dup3(st.ready, s.Ready.FD, 0), strconv.Itoa(s.Ready.FD))
	}
	path, fail := find(s)
	if fail != nil {
		st.fail("find", unix.ENOENT, fail.reason)
	}
	st.limitLate(late)
	st.check("exec", syscall.Exec(path, s.Cmd, env), path)
}

// env is the program's, and where it is to say that it is ready.
func (st *stage) env() []string {
	env := st.spec.Env
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// dropCapabilities leaves a user who is not root none. The change of the uid
// took those in effect, but not the inheritable ones, nor any at all where tmd
// was started with securebits that say so (capabilities(7)).
func dropCapabilities(uid int) error {
	if uid == 0 {
		return nil
	}
	none := [2]unix.CapUserData{}
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
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
