package main

import (
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// readControl takes a piece of what the control FIFO, or alone the standard
// input, holds; the rest waits for the loop's next turn, so that a flood of
// commands holds up nothing else.
func (h *helper) readControl() {
	buf := h.room.control[:]
	n, err := unix.Read(h.control, buf)
	switch {
	case err == unix.EINTR || err == unix.EAGAIN:
		return
	case err != nil || n == 0:
		// The end of standard input ends commands, never the program.
		unix.Close(h.control)
		h.control = -1
		h.leaveUncommanded()
		return
	}
	before := h.commands.TooLong
	h.commands.Push(buf[:n], h.command)
	if h.commands.TooLong > before {
		die.Warn("a command of more than 4096 bytes was ignored", nil)
	}
}

// command obeys one line, tmsupervise(8) section COMMANDS. A line that is
// none of them does nothing but a warning.
func (h *helper) command(text []byte) {
	if h.done {
		return
	}
	words, err := line.Words(line.InUsualBlock(text))
	if err != nil {
		die.Warn("a command was ignored", err)
		return
	}
	if len(words) > 0 && !h.obey(words[0], words[1:]) {
		die.Warn("a command was ignored: "+line.Join(words...), nil)
	}
}

func (h *helper) obey(verb string, args []string) bool {
	if in, ok := wishNamed(verb); ok {
		return h.wished(in, args)
	}
	text := strings.Join(args, " ")
	switch verb {
	case "signal":
		return h.deliver(text)
	case "reload":
		h.reload()
	case "status":
		h.heed()
	case "ready", "pending", "late", "sick":
		return h.probed(verb, args)
	case "reaped":
		return h.reapedByTmd(args)
	default:
		return false
	}
	return true
}

func wishNamed(verb string) (input, bool) {
	for _, in := range [...]input{start, stop, restart, finish, kill, await} {
		if verb == in.String() || verb == "exit" && in == finish {
			return in, true
		}
	}
	return 0, false
}

// wished handles the commands that change what should be. tmd numbers its
// own, so that it may repeat one that a dead helper may not have taken.
func (h *helper) wished(in input, args []string) bool {
	cause, seq := "user", h.seq
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "seq":
			n, err := strconv.Atoi(value)
			if err != nil {
				return false
			}
			if n <= h.seq {
				return true // taken already, perhaps by the helper before
			}
			seq = n
		case "cause":
			cause = value
		}
	}
	h.seq, h.asked = seq, cause
	if in == start || in == restart {
		h.leaving = h.leaving && h.dir == "" // a later tmd wants it after all
		h.findLost()
	}
	if h.lost == 0 || in != start && in != restart {
		h.step(in)
	}
	h.leaveUncommanded()
	if (h.written != written{h.wish, h.seq}) {
		h.heed()
	}
	return true
}

// heed publishes what changed without an event of its own, such as the number
// of a command that was taken: tmd looks at a status when an event comes.
func (h *helper) heed() {
	h.publish()
	if h.dir != "" {
		var e event.Builder
		h.out.send(e.Begin(time.Now(), h.name(), event.Heeded).Int("seq", h.seq).Append(nil))
	}
}

// probed takes what tmd's probes found of the process that the first argument
// numbers; one that has ended meanwhile must not speak for its successor.
func (h *helper) probed(verb string, args []string) bool {
	if len(args) == 0 {
		return false
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil || pid <= 0 {
		return false
	}
	if pid != h.pid {
		return true
	}
	text := strings.Join(args[1:], " ")
	switch {
	case verb == "sick":
		h.makeSick(text, "check", false)
	case h.state != starting || h.isReady:
	case verb == "ready":
		h.step(ready)
	default:
		h.detail = text
		h.publish()
		if verb == "late" {
			h.step(late)
		}
	}
	return true
}

// makeSick ends a program that was given up, by SIGABRT or by its stop signal;
// cause is that of the start that follows.
func (h *helper) makeSick(reason, cause string, abort bool) {
	if h.state != running {
		return
	}
	h.blame, h.cure, h.abort = reason, cause, abort
	h.step(sick)
}

// deliver sends a signal that someone asked for to the program alone.
func (h *helper) deliver(name string) bool {
	sig, ok := signame.Parse(name)
	if ok && h.pid != 0 && h.pidfd >= 0 {
		procfs.SignalPidfd(h.pidfd, sig)
	}
	return ok
}

// reload takes the policy of a new spec at once; what a process is started
// with takes effect at its next start. A deadline that runs already keeps its
// time, but that of STARTING, which counts from the start of the program.
func (h *helper) reload() {
	if h.dir == "" {
		return
	}
	var fresh spec.Spec
	err := h.readSpec(&fresh)
	if err == nil && fresh.Name != h.spec.Name {
		err = &spec.SyntaxError{Line: 1, Text: "it is of " + fresh.Name}
	}
	if err != nil {
		die.Warn("unable to reload "+h.dir.Spec(), err)
		return
	}
	before, wasReady := h.spec.Ready.Kind, h.isReady
	h.ownSpec = fresh
	if h.state == starting {
		if before == "" && h.spec.Ready.Kind == spec.Probed {
			h.isReady = false
		}
		h.waitAsSpecified()
	}
	if h.isReady != wasReady {
		h.heed() // tmd has to know whether to probe
	} else {
		h.publish()
	}
	h.armWatchdog()
}

// waitAsSpecified fits STARTING to a spec that may have come after the start
// of the program. What the program was given no way to say is not waited for.
func (h *helper) waitAsSpecified() {
	switch h.spec.Ready.Kind {
	case "":
		h.isReady = true
	case spec.Notify, spec.SdNotify:
		h.isReady = h.isReady || h.beat.kind != h.spec.Ready.Kind
	}
	h.due = h.startDeadline()
}

func (h *helper) readSpec(into *spec.Spec) error {
	text, err := h.place.Read("spec", h.room.scratch[:], specMax)
	if err != nil {
		return err
	}
	return into.Read(text)
}
