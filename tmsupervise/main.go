// Tmsupervise runs one process: it starts, watches, restarts and stops it,
// and says so in event lines. It works alone in a shell script, and in
// thousands of copies under tmd; tmsupervise(8) is its manual.
//
// It is one loop that polls (loop.go), with one deadline and one further
// goroutine for dead children (reap.go). What it does on which news is a table
// (machine.go, actions.go, stopping.go); what another helper left behind is
// taken up in adopt.go and lost.go. It imports no package that costs memory in
// every copy: deps_test.go says which, and why.
package main

import (
	"errors"
	"os"
	"strconv"
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
		runFrom(statedir.Run(strings.TrimRight(args[1], "/")))
		return
	}
	runAlone(args)
}

// runFrom keeps the process that DIR/spec describes, as tmd uses it.
func runFrom(dir statedir.Run) {
	die.About = dir.Name()
	beKeeper()
	h := newHelper()
	h.boot = procfs.BootID()
	h.moveStandard()
	h.enterDir(dir)
	h.takeLock()
	h.mustReadSpec()
	h.control = h.mustOpenFIFO("control")
	h.out.fd, h.out.name = h.mustOpenFIFO("../../events"), h.name()
	h.sayStopped()
	h.holdLogs()
	h.resume()
	h.publish()
	h.loop()
}

// beKeeper makes the process one whose children inherit nothing by mistake,
// and which inherits theirs.
func beKeeper() {
	if unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC) != nil { // before Linux 5.11
		names, _ := procfs.Names("/proc/self/fd")
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
				unix.CloseOnExec(fd)
			}
		}
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		die.Fatal(die.Temporary, "unable to become a subreaper", err)
	}
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

func (h *helper) enterDir(dir statedir.Run) {
	place, err := dir.Open()
	if err != nil {
		die.Fatal(die.Temporary, "unable to open "+string(dir), err)
	}
	h.dir, h.place = dir, place
}

// takeLock waits for what a dead helper forked to become the program, but
// not for a living helper.
func (h *helper) takeLock() {
	var st unix.Stat_t
	h.follows = unix.Fstatat(int(h.place), "lock", &st, unix.AT_SYMLINK_NOFOLLOW) == nil
	_, err := h.place.TryLock("lock")
	if err == unix.EWOULDBLOCK {
		if pid, _ := statedir.Holder(h.dir.Lock()); pid > 0 && pid != unix.Getpid() {
			die.Fatal(die.Usage, "already running, pid "+strconv.Itoa(pid), nil)
		}
		_, err = h.place.WaitLock("lock")
	}
	if err != nil {
		die.Fatal(die.Temporary, "unable to lock "+h.dir.Lock(), err)
	}
}

func (h *helper) mustReadSpec() {
	err := h.readSpec(&h.ownSpec)
	var syntax *spec.SyntaxError
	switch {
	case err == nil:
		h.spec = &h.ownSpec
	case errors.As(err, &syntax):
		die.Fatal(die.Usage, "unable to use "+h.dir.Spec(), err)
	default:
		die.Fatal(die.Temporary, "unable to read "+h.dir.Spec(), err)
	}
}

func (h *helper) mustOpenFIFO(name string) int {
	fd, err := h.place.OpenFIFO(name, unix.O_NONBLOCK)
	if err != nil {
		die.Fatal(die.Temporary, "unable to open "+string(h.dir)+"/"+name, err)
	}
	return fd
}
