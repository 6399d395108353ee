package main

import (
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// An ending is how a program's life ended, in the words of wait(2).
type ending struct {
	pid      int  // whose
	known    bool // false: nobody could tell the status
	code     int
	signal   unix.Signal // 0: it exited by itself
	core     bool
	oom      bool   // the kernel killed it for want of memory
	reason   string // why it could not be executed, or was given up
	shortage bool   // the reason is want of a resource, not the program's fault
}

func endingOf(status unix.WaitStatus) ending {
	if status.Signaled() {
		return ending{known: true, signal: status.Signal(), core: status.CoreDump()}
	}
	return ending{known: true, code: status.ExitStatus()}
}

// status is the inverse of endingOf, as text for the status file.
func (e *ending) status() string {
	if !e.known {
		return ""
	}
	status := e.code << 8
	if e.signal != 0 {
		status = int(e.signal)
		if e.core {
			status |= 0x80
		}
	}
	return strconv.Itoa(status)
}

// clean reports an exit with code 0, as of a program that puts itself in the
// background.
func (e *ending) clean() bool {
	return e.known && e.signal == 0 && e.code == 0 && e.reason == ""
}

// addTo appends the keys that tell the end.
func (e *ending) addTo(to *event.Builder) {
	switch {
	case !e.known:
		to.Word("code", "unknown")
	case e.signal != 0:
		to.Word("signal", signame.Of(e.signal)).Word("core", yesNo(e.core))
	default:
		to.Int("code", e.code)
	}
}

// words tells the end to a person: "exit 1", "killed by SIGSEGV (core dumped)".
func (e *ending) words() string {
	switch {
	case e.reason != "":
		return e.reason
	case !e.known:
		return "ended, exit status unknown"
	case e.oom:
		return "killed by SIGKILL (out of memory)"
	case e.signal != 0 && e.core:
		return "killed by SIG" + signame.Of(e.signal) + " (core dumped)"
	case e.signal != 0:
		return "killed by SIG" + signame.Of(e.signal)
	}
	return "exit " + strconv.Itoa(e.code)
}

// why is the end with what was left behind: "exited 0 and left 5 processes:
// killed; ...".
func (m *machine) why() string {
	text := m.end.words()
	if m.remains == 0 || m.spec.StopGroup == spec.Process || m.end.reason != "" {
		return text
	}
	if code, ok := strings.CutPrefix(text, "exit "); ok {
		text = "exited " + code
	}
	text += " and left " + processes(m.remains) + ": killed"
	switch {
	case !m.end.clean():
	case m.spec.Background == spec.Follow:
		text += "; to be followed it must leave one child"
	default:
		text += "; run it in the foreground or set background: follow"
	}
	return text
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return strconv.Itoa(n) + " processes"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// seconds writes a duration for a person: "2 s", "0.25 s".
func seconds(d time.Duration) string { return event.Seconds(d) + " s" }
