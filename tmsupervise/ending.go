package main

import (
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// An ending is how a program's life ended, in the words of wait(2).
type ending struct {
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

// clean reports an exit with code 0, as of a program that puts itself in the
// background.
func (e *ending) clean() bool {
	return e.known && e.signal == 0 && e.code == 0 && e.reason == ""
}

// addTo appends the keys of the exited event that tell the end.
func (e *ending) addTo(to *event.Event) {
	switch {
	case !e.known:
		if e.reason == "" {
			to.Add("code", "unknown")
		}
	case e.signal != 0:
		to.Add("signal", signalName(e.signal))
		to.Add("core", yesNo(e.core))
	default:
		to.Add("code", strconv.Itoa(e.code))
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
		return "killed by SIG" + signalName(e.signal) + " (core dumped)"
	case e.signal != 0:
		return "killed by SIG" + signalName(e.signal)
	}
	return "exit " + strconv.Itoa(e.code)
}

// why is the end with what was left behind: "exited 0 and left 5 processes:
// killed; ...".
func (m *machine) why() string {
	text := m.end.words()
	if m.note == "" {
		return text
	}
	if code, ok := strings.CutPrefix(text, "exit "); ok {
		text = "exited " + code
	}
	return text + m.note
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// words writes a duration for a person: "2 s", "0.25 s".
func words(d time.Duration) string { return event.Seconds(d) + " s" }

// signalName is the name without SIG; a real-time signal is RTMIN+N, counted
// from 34 as the C library does (signal(7)), and any other its number.
func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name[len("SIG"):]
	}
	const realTime = 34
	switch {
	case sig == realTime:
		return "RTMIN"
	case sig > realTime && sig <= 64:
		return "RTMIN+" + strconv.Itoa(int(sig)-realTime)
	}
	return strconv.Itoa(int(sig))
}
