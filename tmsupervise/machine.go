package main

import (
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A state is where the one program stands. The names shown are Supervisor's;
// sweeping, which it does not have, is shown as STOPPING: the program is over
// but what it left behind is still being ended.
type state uint8

const (
	stopped state = iota
	starting
	running
	waiting // BACKOFF
	stopping
	sweeping
	exited
	fatal
	numStates
)

var stateNames = [numStates]string{
	stopped: statedir.Stopped, starting: statedir.Starting, running: statedir.Running, waiting: statedir.Backoff,
	stopping: statedir.Stopping, sweeping: statedir.Stopping, exited: statedir.Exited, fatal: statedir.Fatal,
}

func (s state) String() string { return stateNames[s] }

// An input is all that can happen to the program or be asked of it.
type input uint8

const (
	start   input = iota // someone wants it up
	stop                 // someone wants it down
	restart              // down, then up
	finish               // down, and the helper with it
	kill                 // as finish or stop before it, but SIGKILL now
	await                // someone wants it up, but not before tmd says start
	died                 // the program has ended and its status is known
	gone                 // nothing of its tree is left
	timer                // the deadline has come
	ready                // it is said to be ready
	late                 // it was not ready in time
	sick                 // a health check or the watchdog gave it up
	execed               // its exec stage has become the program
	failed               // it could not be executed
	numInputs
)

var inputNames = [numInputs]string{
	start: "start", stop: "stop", restart: "restart", finish: "finish", kill: "kill", await: "await", died: "died",
	gone: "gone", timer: "timer", ready: "ready", late: "late", sick: "sick", execed: "execed", failed: "failed",
}

func (i input) String() string { return inputNames[i] }

// table is the whole policy: what is done on each input in each state. Every
// cell is written, stay where nothing is to be done, and TestTableComplete
// holds that none is missing.
var table = [numStates][numInputs]func(*machine){
	stopped: {start: launch, stop: wishDown, restart: launch, finish: leave, kill: stay, await: wishUp,
		died: stay, gone: stay, timer: stay, ready: stay, late: stay, sick: stay, execed: stay, failed: stay},
	starting: {start: wishUp, stop: beginStop, restart: beginRestart, finish: beginLeave, kill: stopNow, await: beginAwait,
		died: endedEarly, gone: stay, timer: startTimeOver, ready: beReady, late: beLate, sick: stay, execed: settle, failed: startFailed},
	running: {start: wishUp, stop: beginStop, restart: beginRestart, finish: beginLeave, kill: stopNow, await: beginAwait,
		died: endedLate, gone: stay, timer: stay, ready: stay, late: stay, sick: beginCure, execed: stay, failed: stay},
	waiting: {start: launch, stop: rest, restart: launch, finish: leave, kill: rest, await: restAwaiting,
		died: stay, gone: stay, timer: relaunch, ready: stay, late: stay, sick: stay, execed: stay, failed: stay},
	stopping: {start: upAfter, stop: downAfter, restart: upAfter, finish: leaveAfter, kill: killAgain, await: awaitAfter,
		died: endedByStop, gone: conclude, timer: killRest, ready: stay, late: stay, sick: stay, execed: stay, failed: endedByStop},
	sweeping: {start: upAfter, stop: downAfter, restart: upAfter, finish: leaveAfter, kill: killAgain, await: awaitAfter,
		died: stay, gone: conclude, timer: killRest, ready: stay, late: stay, sick: stay, execed: stay, failed: stay},
	exited: {start: launch, stop: rest, restart: launch, finish: leave, kill: stay, await: restAwaiting,
		died: stay, gone: stay, timer: stay, ready: stay, late: stay, sick: stay, execed: stay, failed: stay},
	fatal: {start: launch, stop: rest, restart: launch, finish: leave, kill: stay, await: restAwaiting,
		died: stay, gone: stay, timer: stay, ready: stay, late: stay, sick: stay, execed: stay, failed: stay},
}

// An outcome is what follows once the program and its tree are gone. Its
// numbers stand in status files: add at the end only.
type outcome uint8

const (
	thenStopped outcome = iota
	thenRestart         // a start that was asked for
	thenAgain           // a start by policy, at once if it may be
	thenRetry           // a failed start: BACKOFF or FATAL
	thenExited
	thenFatal
)

// effects is what the machine does to the world; the loop implements it, and
// the tests do without one.
type effects interface {
	now() time.Duration             // CLOCK_MONOTONIC
	record() error                  // writes the spawn record before a fork
	spawn() (pid int, fail *ending) // forks; a staged spawn answers later by execed or failed
	signalProgram(sig unix.Signal)  // or its group, as StopGroup says
	signalRest(sig unix.Signal)     // all of its tree but the program
	left() int                      // how many of its tree live on
	follow() bool                   // takes the one child it left as the program
	announce()                      // publishes the state, then sends the machine's event line
	owe()                           // has the record show that line; it is sent once the fork is done
	heed()                          // publishes without an event; tmd learns that there is news
	stuck() string                  // what SIGKILL did not end, in words
}

// A machine is the life of the one program. It holds no clock and no
// descriptor: all of that is the effects'. Times are of CLOCK_MONOTONIC.
type machine struct {
	effects
	spec *spec.Spec

	state       state
	wish        string
	pid         int           // 0 when no program runs
	staged      bool          // pid is still its exec stage
	isReady     bool          // it said so, or need not
	began       time.Duration // when pid was started
	due         time.Duration // when timer comes, 0 for never
	detail      string        // why it is in this state, in words
	try         int           // failed starts in a row
	scarce      int           // starts that failed for want of a resource, in a row
	restarts    int           // starts that nobody asked for
	asked       string        // cause of the start that is asked for: user, boot, reload
	cure        string        // cause of the next start by policy: auto, check
	end         ending        // of the last program
	ended       time.Duration // when it ended
	remains     int           // how many of its tree outlived it
	unsaid      bool          // its end is still to be told by an exited event
	blame       string        // why the program is being ended, if nobody asked
	abort       bool          // end it by SIGABRT, not by its stop signal
	then        outcome       // what follows stopping or sweeping
	killed      bool          // SIGKILL was sent, in this stopping or sweeping
	leaving     bool          // the helper ends when the program has
	uncommanded bool          // alone, and commands have ended: no one can start it again
	done        bool          // the loop may end

	line event.Builder // the last event
}

// step is the machine's only entrance.
func (m *machine) step(in input) { table[m.state][in](m) }

// enter changes the state; the caller then tells of it by an event.
func (m *machine) enter(s state, due time.Duration, detail string) {
	m.state, m.due, m.detail = s, due, detail
}

// tell begins an event line; announce sends it.
func (m *machine) tell(kind string) *event.Builder {
	return m.line.Begin(time.Now(), m.spec.Name, kind)
}
