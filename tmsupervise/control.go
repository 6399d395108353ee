package main

import (
	"strconv"
	"strings"

	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// scratch is where the helper reads into: one place in every copy instead of
// large arrays on the stack, each of which would make it grow for good.
var scratch [8192]byte

var commandBuffer [4096]byte

// readControl takes what the control FIFO, or alone the standard input, holds.
func (h *helper) readControl() {
	// A command may use scratch again, so its line must not lie there.
	buf := commandBuffer[:]
	for {
		n, err := unix.Read(h.control, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return
		case err != nil || n == 0:
			// The end of standard input ends commands, never the program.
			h.control = -1
			h.leaveUncommanded()
			return
		}
		h.commands.Push(buf[:n], h.command)
		if h.done || n < len(buf) {
			return
		}
	}
}

// command obeys one line:
//
//	start|stop|restart|exit|kill [seq=N] [cause=WORD]
//	signal NAME|NUMBER      to the program
//	reload                  reads the spec again
//	ready | sick REASON     what tmd's probes found
//	pending TEXT            why it is not ready yet
//	reaped PID STATUS       the wait status of an adopted program
//
// A line that is none of these does nothing; the FIFO is our user's alone.
func (h *helper) command(text []byte) {
	words, err := line.Words(string(text))
	if err != nil || len(words) == 0 {
		return
	}
	verb, args := words[0], words[1:]
	arg := strings.Join(args, " ")
	switch verb {
	case "start":
		h.wished(start, args)
	case "stop":
		h.wished(stop, args)
	case "restart":
		h.wished(restart, args)
	case "exit":
		h.wished(finish, args)
	case "kill":
		h.wished(kill, args)
	case "signal":
		if sig, ok := parseSignal(arg); ok {
			h.deliver(sig)
		}
	case "reload":
		h.reload()
	case "ready":
		h.step(ready)
	case "sick":
		h.makeSick(arg, false)
	case "pending":
		if h.state == starting && !h.isReady {
			h.detail = arg
			h.publish()
		}
	case "reaped":
		if len(args) == 2 {
			pid, _ := strconv.Atoi(args[0])
			status, _ := strconv.Atoi(args[1])
			h.reapedByTmd(pid, status)
		}
	}
}

// wished handles the commands that change what should be. tmd numbers its
// own, so that it may repeat one that a dead helper may not have taken.
func (h *helper) wished(in input, args []string) {
	cause := "user"
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "seq":
			n, err := strconv.Atoi(value)
			if err != nil || n <= h.seq {
				return
			}
			h.seq = n
		case "cause":
			cause = value
		}
	}
	h.asked = cause
	if h.lost != 0 && (in == start || in == restart) {
		h.findLost()
	}
	h.step(in)
	h.leaveUncommanded()
	if (h.written != written{h.wish, h.seq}) {
		h.publish()
	}
}

func (h *helper) makeSick(reason string, abort bool) {
	if h.state != running {
		return
	}
	h.blame, h.abort = reason, abort
	h.step(sick)
}

// deliver sends a signal that someone asked for to the program alone.
func (h *helper) deliver(sig unix.Signal) {
	if h.pid != 0 && h.pidfd >= 0 {
		procfs.SignalPidfd(h.pidfd, sig)
	}
}

// reload takes the policy of a new spec at once; what a process is started
// with takes effect at its next start.
func (h *helper) reload() {
	if h.dir == "" {
		return
	}
	text, err := procfs.ReadFile(h.dir.Spec(), specMax)
	if err != nil {
		return
	}
	fresh, err := spec.Parse(text)
	if err != nil || fresh.Name != h.spec.Name {
		return
	}
	h.spec = fresh
	if h.state == starting {
		h.due = h.startDeadline()
	}
	h.armWatchdog()
}

// parseSignal reads a signal name, with or without SIG, or number.
func parseSignal(text string) (unix.Signal, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return unix.Signal(n), n > 0 && n <= 64
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if rest, ok := strings.CutPrefix(name, "RTMIN"); ok {
		n, err := strconv.Atoi("0" + strings.TrimPrefix(rest, "+"))
		return unix.Signal(34 + n), err == nil && n <= 30
	}
	sig := unix.SignalNum("SIG" + name)
	return sig, sig != 0
}
