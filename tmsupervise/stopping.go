package main

import (
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// The actions that end a program.

func beginStop(m *machine) {
	m.wish = statedir.WishDown
	m.then = thenStopped
	m.shut("")
}

func beginRestart(m *machine) {
	m.wish = statedir.WishRestart
	m.then = thenRestart
	m.shut("")
}

// beginAwait is the first half of a restart in order: tmd says start when
// what the program comes after is up again.
func beginAwait(m *machine) {
	m.wish = statedir.WishUp
	m.then = thenStopped
	m.shut("")
}

func beginLeave(m *machine) {
	m.leaving = true
	m.then = thenStopped
	m.shut("")
}

// beginCure ends a program that its health check or watchdog gave up; its end
// counts as an unexpected exit.
func beginCure(m *machine) {
	m.then, m.unsaid = thenExited, true
	if m.spec.Restart != spec.Never {
		m.then = thenAgain
	}
	m.shut(m.blame)
}

// stopNow is a stop that does not wait for the program to wind down.
func stopNow(m *machine) {
	beginStop(m)
	killRest(m)
}

// shut sends the stop signal and SIGCONT, without which a stopped program
// would not hear it (signal(7)). An exec stage has nothing to wind down, and
// might take the signal otherwise than the program.
func (m *machine) shut(reason string) {
	sig := unix.Signal(m.spec.StopSignal)
	switch {
	case m.staged:
		sig = unix.SIGKILL
	case m.abort:
		sig = unix.SIGABRT
	}
	m.killed = false
	m.enter(stopping, m.now()+m.spec.StopTime, reason)
	m.signalProgram(sig)
	m.signalProgram(unix.SIGCONT)
	e := m.tell(event.Stopping).Int("pid", m.pid).Word("signal", signame.Of(sig))
	if reason != "" {
		e.Word("reason", reason)
	}
	m.announce()
}

// endedByStop: the program is gone, now what is left of its tree.
func endedByStop(m *machine) {
	m.pid, m.staged = 0, false
	m.remains = m.left()
	switch {
	case m.remains == 0 || m.spec.StopGroup == spec.Process:
		conclude(m)
		return
	case m.killed:
		m.signalRest(unix.SIGKILL)
	case m.spec.StopGroup == spec.Tree:
		m.signalRest(unix.Signal(m.spec.StopSignal))
	}
	m.heed()
}

// stuckAfter is when what SIGKILL did not end is called stuck.
const stuckAfter = 5 * time.Second

// killRest is the end of patience. What SIGKILL has not ended after five
// seconds is in state D; it is shown and waited for, never started twice.
func killRest(m *machine) {
	if m.killed {
		m.due = 0
		m.detail = m.stuck()
		m.heed()
		return
	}
	m.killed = true
	m.due = m.now() + stuckAfter
	pid := m.pid
	if pid == 0 {
		pid = m.end.pid
	}
	m.signalProgram(unix.SIGKILL)
	if m.spec.StopGroup != spec.Process {
		m.signalRest(unix.SIGKILL)
	}
	m.tell(event.Killed).Int("pid", pid)
	m.announce()
}

func killAgain(m *machine) {
	if m.due == 0 {
		m.detail = "" // that it is stuck is to be seen anew
	}
	m.killed = false
	killRest(m)
}

func upAfter(m *machine) {
	m.wish = statedir.WishRestart
	m.then = thenRestart
}

func downAfter(m *machine) {
	m.wish = statedir.WishDown
	m.then = thenStopped
}

func awaitAfter(m *machine) {
	m.wish = statedir.WishUp
	m.then = thenStopped
}

func leaveAfter(m *machine) {
	m.leaving = true
	if m.then == thenRestart || m.then == thenAgain || m.then == thenRetry {
		m.then = thenStopped
	}
}
