// Package die is the one voice in which the tools of taskmaster complain,
// and the one meaning of each exit code.
//
// The grammar is that of skalibs' strerr:
//
//	tmd: fatal: unable to open /x: permission denied
//	tmd: warning: ...
//	tmd: usage: tmd [-c FILE] ...
//
// Messages are lower case without a final period: what was attempted, then
// why it failed. The package imports no fmt, since tmsupervise, which runs
// in thousands of copies, speaks with it too.
package die

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"unicode/utf8"
)

// Exit codes, the same for every tool. OK, Failed, NotUp and Unreachable are
// tmctl's own range; the others are those of daemontools and s6.
const (
	OK          = 0   // done
	Failed      = 1   // tmctl: something that was asked for failed
	NotUp       = 3   // tmctl status: one is neither RUNNING nor STARTING
	Usage       = 100 // wrong usage, or an error that trying again will not mend
	Bug         = 101 // an error in the tool itself
	Unreachable = 102 // tmctl: no daemon there, or not let in
	Temporary   = 111 // the system refused for now: try again
)

// Name stands in front of every message, and About behind it, when a
// long-lived copy names what it looks after: "tmsupervise web:0". main sets
// them before anything else.
var Name, About = "taskmaster", ""

// Stderr is the file descriptor that warnings are written to. A tool that must
// not wait for whoever reads its standard error puts something in between. A
// last word, before an exit, always goes to 2.
var Stderr = 2

var exit = os.Exit // replaced by the tests

// Fatal says "NAME: fatal: WHAT: why" and exits with code. A nil why leaves
// out the reason.
func Fatal(code int, what string, why error) {
	Stderr = 2
	say("fatal: ", what, why)
	exit(code)
}

// Warn says "NAME: warning: WHAT: why" and returns. A nil why leaves out the
// reason.
func Warn(what string, why error) {
	say("warning: ", what, why)
}

// UsageError says "NAME: usage: SYNOPSIS" and exits with Usage. A non-empty
// what is said first, as a fatal error, to tell which word was wrong.
func UsageError(what, synopsis string) {
	if what != "" {
		say("fatal: ", what, nil)
	}
	say("usage: ", synopsis, nil)
	exit(Usage)
}

// OnPanic turns a panic of the calling goroutine into exit code Bug with a
// stack trace. main defers it; a goroutine that matters defers it too.
func OnPanic() {
	r := recover()
	if r == nil {
		return
	}
	Stderr = 2
	say("fatal: ", "bug, please report it: "+panicText(r), nil)
	stack := make([]byte, 16<<10)
	write(stack[:runtime.Stack(stack, false)])
	exit(Bug)
}

func panicText(r any) string {
	switch v := r.(type) {
	case error:
		return v.Error()
	case string:
		return v
	}
	return "panic"
}

// Reason gives err in words without the operation and path that os puts in
// front of it: "permission denied". It is "" for nil.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return Reason(path.Err)
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return Reason(call.Err)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return Errno(errno)
	}
	return err.Error()
}

// Errno gives an errno in words, as strerror(3) does but in lower case and,
// for the few where Go's text says less, in ours.
func Errno(e syscall.Errno) string {
	switch e {
	case syscall.ENOENT:
		return "no such file"
	case syscall.ETXTBSY:
		return "text file busy"
	}
	return e.Error()
}

// Message returns the line that Fatal says, for a tool that does not exit: a
// shell goes on after it.
func Message(what string, why error) string {
	return message("fatal: ", what, why)
}

func message(kind, what string, why error) string {
	text := Name
	if About != "" {
		text += " " + About
	}
	text += ": " + kind + what
	if why != nil {
		text += ": " + Reason(why)
	}
	return oneLine(text) + "\n"
}

// oneLine escapes what would end the line or drive a terminal: paths and what
// a peer said may hold it.
func oneLine(text string) string {
	var out []byte
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r < 0x20 || 0x7f <= r && r < 0xa0 || r == utf8.RuneError && size == 1:
			if out == nil {
				out = append(make([]byte, 0, len(text)+16), text[:i]...)
			}
			for _, c := range []byte(text[i : i+size]) {
				out = append(out, '\\', 'x', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
			}
		case out != nil:
			out = append(out, text[i:i+size]...)
		}
		i += size
	}
	if out == nil {
		return text
	}
	return string(out)
}

func say(kind, what string, why error) {
	write([]byte(message(kind, what, why)))
}

// write makes one write(2) of it, so that lines of many copies on one
// terminal do not mix.
func write(text []byte) {
	for {
		_, err := syscall.Write(Stderr, text)
		if err != syscall.EINTR {
			return
		}
	}
}
