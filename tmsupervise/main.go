// Tmsupervise runs one process: it starts, watches, restarts and stops it,
// and says so in event lines. It works alone in a shell script, and in
// thousands of copies under tmd; tmsupervise(8) is its manual.
//
// How it is built, and why, is in DESIGN.md section 12 in short: one loop
// that polls, one deadline, one further goroutine for dead children, and no
// package that costs memory in every copy.
package main

import (
	"os"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

const synopsis = "tmsupervise [-n NAME] [-r always|never|unexpected] [-x CODES] [-s SECS] [-R RETRIES] [-k SIGNAL] [-t SECS] [-u UMASK] [-C DIR] [-o FILE] [-e FILE] [--] CMD [ARG ...] | tmsupervise -d DIR"

// specMax is the largest spec that is read: an environment and a command line
// are each at most 2 MB (execve(2)), tripled at worst by encoding.
const specMax = 16 << 20

func main() {
	die.Name = "tmsupervise"
	defer die.OnPanic()
	args := os.Args[1:]
	if len(args) == 1 && args[0] == stageWord {
		runStage()
	}
	if len(args) > 0 && args[0] == "-d" {
		if len(args) != 2 {
			die.UsageError("-d takes one directory and nothing else", synopsis)
		}
		runFrom(statedir.Run(strings.TrimSuffix(args[1], "/")))
		return
	}
	runAlone(args)
}

// runFrom keeps the process that DIR/spec describes, as tmd uses it.
func runFrom(dir statedir.Run) {
	h := newHelper()
	h.dir, h.boot = dir, procfs.BootID()
	die.Name = "tmsupervise " + dir.Name()
	h.moveStandard()
	h.takeLock()
	h.readSpec()
	var err error
	if h.control, err = statedir.OpenFIFO(dir.Control(), unix.O_NONBLOCK); err != nil {
		die.Fatal(die.Temporary, "unable to open "+dir.Control(), err)
	}
	events := dir.State().Events()
	if h.out.fd, err = statedir.OpenFIFO(events, unix.O_NONBLOCK); err != nil {
		die.Fatal(die.Temporary, "unable to open "+events, err)
	}
	h.resume()
	h.publish()
	h.loop()
}

// newHelper is a helper in STOPPED with nothing to keep yet.
func newHelper() *helper {
	unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		die.Fatal(die.Temporary, "unable to become a subreaper", err)
	}
	h := &helper{control: -1, word: -1, pidfd: -1, stage: -1, stdio: [2]int{1, 2}, beat: readiness{fd: -1}}
	h.effects, h.wish, h.asked = h, statedir.WishNone, "user"
	h.umask = unix.Umask(0)
	unix.Umask(h.umask)
	var err error
	if h.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		die.Fatal(die.Temporary, "unable to open /dev/null", err)
	}
	if h.reaper, err = newReaper(); err != nil {
		die.Fatal(die.Temporary, "unable to make an eventfd", err)
	}
	return h
}

// moveStandard keeps the standard output and error that tmd was started with
// for a program with `inherit`, under numbers at which a broken pipe is an
// error and not the end: the Go runtime dies of EPIPE on 1 and 2.
func (h *helper) moveStandard() {
	for i := range h.stdio {
		fd, err := unix.FcntlInt(uintptr(i+1), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			fd = h.null
		}
		h.stdio[i] = fd
	}
	die.Stderr = h.stdio[1]
}

// takeLock waits for what a dead helper forked to become the program, but
// not for a living helper.
func (h *helper) takeLock() {
	path := h.dir.Lock()
	_, err := statedir.TryLock(path)
	if err == unix.EWOULDBLOCK {
		if pid, _ := statedir.Holder(path); pid > 0 && pid != unix.Getpid() {
			die.Fatal(die.Usage, "already running, pid "+itoa(pid), nil)
		}
		_, err = statedir.WaitLock(path)
	}
	if err != nil {
		die.Fatal(die.Temporary, "unable to lock "+path, err)
	}
}

func (h *helper) readSpec() {
	text, err := procfs.ReadFile(h.dir.Spec(), specMax)
	if err != nil {
		die.Fatal(die.Temporary, "unable to read "+h.dir.Spec(), err)
	}
	if h.spec, err = spec.Parse(text); err != nil {
		die.Fatal(die.Usage, "unable to use "+h.dir.Spec(), err)
	}
}
