package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
)

// phrase says in a few words, as a predicate of the event's name, what an
// event tells: "exited 1", "was killed by SIGSEGV", "gave up: ...".
func phrase(e *event.Event) string {
	switch e.Kind {
	case event.Exited:
		return exitPhrase(e)
	case event.Fatal:
		if try := e.Int("try"); try > 1 {
			return with(fmt.Sprintf("gave up after %d tries", try), ": ", e.Get("reason"))
		}
		return with("gave up", ": ", e.Get("reason"))
	case event.Running:
		return "is running"
	case event.Starting:
		return "was started"
	case event.Backoff:
		return with("waits "+seconds(e.Get("wait"))+" to be tried again", ": ", e.Get("reason"))
	case event.Stopping:
		return "is being stopped"
	case event.Stopped:
		return "was stopped"
	case event.Killed:
		return "had to be killed"
	case event.Unhealthy:
		return with("is unhealthy", ": ", e.Get("reason"))
	case event.Healthy:
		return "is healthy again"
	case event.Waiting:
		return "is " + e.Get("reason")
	case event.ReloadFail:
		return with("could not reload its configuration", ": ", e.Get("reason"))
	case event.LogFull:
		if dropped := e.Get("dropped"); dropped != "" {
			return fmt.Sprintf("dropped %s lines of the log %s", dropped, e.Get("file"))
		}
		if !stopsWriting(e) {
			return "has trouble with a log: " + e.Get("reason")
		}
		return with("cannot write the log "+e.Get("file"), ": ", e.Get("reason"))
	}
	return with(e.Kind, " ", allPairs(e))
}

// stopsWriting reports whether a logfull event says why a log cannot be
// written. Else its reason is a sentence of tmlog's that names the file.
func stopsWriting(e *event.Event) bool {
	reason := e.Get("reason")
	return e.Get("dropped") == "" && !strings.HasPrefix(reason, "unable to ") && !strings.HasSuffix(reason, ": making it again")
}

func exitPhrase(e *event.Event) string {
	reason := e.Get("reason")
	switch {
	case e.Get("signal") != "":
		return with("was killed by "+signalName(e), ": ", reason)
	case e.Get("code") == "" && reason != "":
		return "ended: " + reason
	}
	return with("exited "+value(e, "code", "with an unknown code"), ": ", reason)
}

// with appends more, and what joins it, unless there is no more.
func with(text, joint, more string) string {
	if more == "" {
		return text
	}
	return text + joint + more
}

func value(e *event.Event, key, otherwise string) string {
	if v := e.Get(key); v != "" && v != "unknown" {
		return v
	}
	return otherwise
}

// allPairs returns the KEY=VALUE of an event, values as they are.
func allPairs(e *event.Event) string {
	var words []string
	for _, p := range e.Pairs {
		words = append(words, p.Key+"="+p.Value)
	}
	return strings.Join(words, " ")
}

func signalName(e *event.Event) string {
	name := e.Get("signal")
	if !strings.HasPrefix(name, "SIG") && strings.Trim(name, "0123456789") != "" {
		name = "SIG" + name
	}
	if e.Get("core") == "yes" {
		name += " (core dumped)"
	}
	if e.Get("oom") == "yes" {
		name += " (out of memory)"
	}
	return name
}

// cause says why in whole sentences what a tired person would have to look
// up. It is "" when phrase has said all.
func cause(e *event.Event) string {
	switch {
	case e.Kind != event.Exited || e.Get("reason") != "":
		return ""
	case e.Get("oom") == "yes":
		return "the kernel had no memory left and chose it to be killed"
	case e.Get("signal") != "":
		return signalCause(strings.TrimPrefix(e.Get("signal"), "SIG"))
	}
	switch e.Get("code") {
	case "0":
		return "it ended by itself without an error, which was not expected of it"
	case "126":
		return "126 is what a shell says when it found the command but could not execute it"
	case "127":
		return "127 is what a shell says when it could not find the command"
	case "unknown", "":
		return "its keeper died with it, so nobody could read its exit code"
	}
	if n := e.Int("code"); n > 128 && n < 160 {
		return fmt.Sprintf("%d is what a shell says when signal %d ended the command", n, n-128)
	}
	return "the program itself chose this exit code; it is none of those that were expected"
}

func signalCause(name string) string {
	switch name {
	case "KILL":
		return "someone sent kill -9, or the kernel had no memory left (see dmesg)"
	case "SEGV", "BUS":
		return "it used memory that is not its own: a bug in the program"
	case "ABRT":
		return "it gave itself up: a failed assertion, a panic, or a watchdog"
	case "ILL", "FPE":
		return "it computed what the processor cannot: a bug in the program"
	case "PIPE":
		return "it wrote where nobody reads any more"
	case "SYS":
		return "it made a system call that it is not allowed to make"
	case "XCPU", "XFSZ":
		return "it went past a resource limit"
	case "TERM", "INT", "QUIT", "HUP":
		return "someone asked it to end, and it was not taskmaster"
	}
	return "someone sent it this signal, and it was not taskmaster"
}

// next says what becomes of the member, from its last event.
func (m *member) next() string {
	switch m.Now.Kind {
	case event.Running, event.Healthy:
		return "running again"
	case event.Starting:
		return "started again"
	case event.Backoff:
		return "next try in " + seconds(m.Now.Get("wait"))
	case event.Fatal:
		return "gave up"
	case event.Stopping, event.Stopped, event.Killed:
		return "stopped"
	case event.Exited:
		return "not started again"
	}
	return ""
}

// seconds writes the seconds of an event's value: "8 s", "1 h 7 min 35 s".
func seconds(text string) string {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n < 0 || n > 1e9 {
		return printable(text) + " s"
	}
	return span(time.Duration(n * float64(time.Second)))
}

// span writes a duration with its three largest units at most.
func span(d time.Duration) string {
	if d = d.Round(10 * time.Millisecond); d < time.Minute {
		text := strconv.FormatFloat(d.Seconds(), 'f', 2, 64)
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + " s"
	}
	d = d.Round(time.Second)
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.length; n > 0 && len(parts) < 3 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		}
		d %= unit.length
	}
	return strings.Join(parts, " ")
}

// plural writes a count with its noun: "1 event", "3 events".
func plural(n int, noun string) string { return count(n, noun, noun+"s") }

// count is plural for a noun whose plural does not end in s only.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
