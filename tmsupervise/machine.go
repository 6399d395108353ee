package main

import (
	"strconv"
	"time"

	"taskmaster/lib/backoff"
	"taskmaster/lib/die"
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
	stopped: "STOPPED", starting: "STARTING", running: "RUNNING", waiting: "BACKOFF",
	stopping: "STOPPING", sweeping: "STOPPING", exited: "EXITED", fatal: "FATAL",
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
	died                 // the program has ended and its status is known
	gone                 // nothing of its tree is left
	timer                // the deadline has come
	ready                // it is said to be ready
	sick                 // a health check or the watchdog gave it up
	execed               // its exec stage has become the program
	failed               // it could not be executed
	numInputs
)

var inputNames = [numInputs]string{
	start: "start", stop: "stop", restart: "restart", finish: "finish", kill: "kill", died: "died", gone: "gone",
	timer: "timer", ready: "ready", sick: "sick", execed: "execed", failed: "failed",
}

func (i input) String() string { return inputNames[i] }

// table is the whole policy: what is done on each input in each state. Every
// cell is written, stay where nothing is to be done, and TestTableComplete
// holds that none is missing.
var table = [numStates][numInputs]func(*machine){
	stopped: {start: launch, stop: wishDown, restart: launch, finish: leave, kill: stay,
		died: stay, gone: stay, timer: stay, ready: stay, sick: stay, execed: stay, failed: stay},
	starting: {start: wishUp, stop: beginStop, restart: beginRestart, finish: beginLeave, kill: stopNow,
		died: endedEarly, gone: stay, timer: startTimeOver, ready: beReady, sick: stay, execed: settle, failed: startFailed},
	running: {start: wishUp, stop: beginStop, restart: beginRestart, finish: beginLeave, kill: stopNow,
		died: endedLate, gone: stay, timer: stay, ready: stay, sick: beginCure, execed: stay, failed: stay},
	waiting: {start: launch, stop: rest, restart: launch, finish: leave, kill: rest,
		died: stay, gone: stay, timer: relaunch, ready: stay, sick: stay, execed: stay, failed: stay},
	stopping: {start: upAfter, stop: downAfter, restart: upAfter, finish: leaveAfter, kill: killAgain,
		died: endedByStop, gone: stopDone, timer: killRest, ready: stay, sick: stay, execed: stay, failed: endedByStop},
	sweeping: {start: upAfter, stop: downAfter, restart: upAfter, finish: leaveAfter, kill: killAgain,
		died: stay, gone: conclude, timer: killRest, ready: stay, sick: stay, execed: stay, failed: stay},
	exited: {start: launch, stop: rest, restart: launch, finish: leave, kill: stay,
		died: stay, gone: stay, timer: stay, ready: stay, sick: stay, execed: stay, failed: stay},
	fatal: {start: launch, stop: rest, restart: launch, finish: leave, kill: stay,
		died: stay, gone: stay, timer: stay, ready: stay, sick: stay, execed: stay, failed: stay},
}

// An outcome is what follows once the program and its tree are gone.
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
	announce(e event.Event)         // publishes, then sends the event
	publish()                       // writes the status
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
	end         ending        // of the last program
	blame       string        // why the program is being ended, if nobody asked
	abort       bool          // end it by SIGABRT, not by its stop signal
	then        outcome       // what follows stopping or sweeping
	killed      bool          // SIGKILL was sent, in this stopping or sweeping
	leaving     bool          // the helper ends when the program has
	uncommanded bool          // alone, and commands have ended: no one can start it again
	done        bool          // the loop may end
	note        string        // added to the detail: what was left behind
}

// ended takes down how the program ended, before died or failed is input.
func (m *machine) ended(end ending) {
	if m.blame != "" {
		end.reason, m.blame = m.blame, ""
	}
	m.end = end
}

// step is the machine's only entrance.
func (m *machine) step(in input) { table[m.state][in](m) }

// enter is the one door through which every change of state goes.
func (m *machine) enter(s state, due time.Duration, detail, kind string, keyValues ...string) {
	m.state, m.due, m.detail = s, due, detail
	m.announce(event.New(time.Now(), m.spec.Name, kind, keyValues...))
}

func stay(*machine) {}

func wishUp(m *machine)   { m.wish = statedir.WishUp }
func wishDown(m *machine) { m.wish = statedir.WishDown }

// launch starts the program because someone asked for it.
func launch(m *machine) {
	m.wish = statedir.WishUp
	m.try, m.scarce = 0, 0
	m.run(m.asked)
}

// relaunch is the end of BACKOFF.
func relaunch(m *machine) {
	m.restarts++
	if m.try == 0 && m.scarce == 0 {
		m.run("auto")
	} else {
		m.run("retry")
	}
}

func (m *machine) run(cause string) {
	m.state, m.due, m.detail, m.note = starting, 0, "", ""
	m.end, m.then, m.killed, m.blame, m.abort = ending{}, thenStopped, false, "", false
	m.isReady = m.spec.Ready.Kind == ""
	m.pid, m.began = 0, m.now()
	if err := m.record(); err != nil {
		// Without the record a later helper could start a second copy.
		m.end = ending{reason: "cannot write the status file: " + die.Reason(err), shortage: true}
		startFailed(m)
		return
	}
	pid, fail := m.spawn()
	if fail != nil {
		m.end = *fail
		startFailed(m)
		return
	}
	m.pid = pid
	m.enter(starting, m.startDeadline(), "", event.Starting, "pid", strconv.Itoa(pid), "try", strconv.Itoa(m.try+1), "cause", cause)
	settle(m)
}

// startDeadline is when STARTING ends by itself: in RUNNING after starttime,
// or in a failed start when it is not ready in time; 0 for never.
func (m *machine) startDeadline() time.Duration {
	switch {
	case m.isReady:
		return m.began + m.spec.StartTime
	case m.spec.Ready.Timeout > 0:
		return m.began + m.spec.Ready.Timeout
	}
	return 0
}

// settle calls it RUNNING at once when it need not prove anything.
func settle(m *machine) {
	if m.isReady && !m.staged && m.spec.StartTime == 0 {
		m.beRunning()
	}
}

// startTimeOver: it lived long enough, or was not ready in time.
func startTimeOver(m *machine) {
	switch {
	case m.isReady && m.staged:
		m.due = 0 // its exec stage hangs: execed, failed or died will come
	case m.isReady:
		m.beRunning()
	default:
		m.blame = "not ready within " + words(m.spec.Ready.Timeout)
		if m.detail != "" {
			m.blame += ": " + m.detail
		}
		m.then = m.failedStart()
		m.shut(m.blame)
	}
}

func beReady(m *machine) {
	m.isReady = true
	m.beRunning()
}

func (m *machine) beRunning() {
	m.try, m.scarce = 0, 0
	m.enter(running, 0, "", event.Running, "pid", strconv.Itoa(m.pid))
}

func startFailed(m *machine) {
	m.pid, m.staged = 0, false
	if m.end.shortage {
		m.scarce++
		m.backOff(backoff.Delay(m.spec.BackoffFirst, m.spec.BackoffMax, m.scarce))
		return
	}
	m.then = m.failedStart()
	conclude(m)
}

func (m *machine) failedStart() outcome {
	if m.spec.Restart == spec.Never {
		return thenFatal
	}
	return thenRetry
}

// endedEarly is the end of a program in STARTING.
func endedEarly(m *machine) {
	m.then = m.failedStart()
	if m.expected() && m.spec.Restart != spec.Always {
		m.then = thenExited
	}
	m.over()
}

// endedLate is the end of a program in RUNNING.
func endedLate(m *machine) {
	m.then = thenExited
	if m.spec.Restart == spec.Always || m.spec.Restart == spec.Unexpected && !m.expected() {
		m.then = thenAgain
	}
	m.over()
}

func (m *machine) expected() bool {
	return m.end.known && m.end.signal == 0 && m.end.reason == "" && m.spec.Expected(m.end.code)
}

// over tells the end and sees to what the program left behind.
func (m *machine) over() {
	if m.spec.Background == spec.Follow && m.end.clean() && m.follow() {
		m.end, m.staged = ending{}, false
		m.announce(event.New(time.Now(), m.spec.Name, event.Adopted, "pid", strconv.Itoa(m.pid), "cause", "background"))
		return
	}
	left := m.left()
	m.tellEnd(left)
	m.pid = 0
	if left == 0 || m.spec.StopGroup == spec.Process {
		conclude(m)
		return
	}
	m.sweep(left)
}

// sweep ends what the program left behind.
func (m *machine) sweep(left int) {
	m.note = " and left " + strconv.Itoa(left) + " processes: killed"
	if left == 1 {
		m.note = " and left 1 process: killed"
	}
	if m.end.clean() {
		m.note += "; run it in the foreground or set background: follow"
	}
	m.killed = false
	m.state = sweeping
	m.due = m.now() + min(m.spec.StopTime, time.Second)
	m.detail = m.why()
	m.signalRest(unix.Signal(m.spec.StopSignal))
	m.publish()
}

// tellEnd sends the exited event, without leaving the state: what follows
// from the end does that.
func (m *machine) tellEnd(left int) {
	e := event.New(time.Now(), m.spec.Name, event.Exited, "pid", strconv.Itoa(m.pid))
	m.end.addTo(&e)
	e.Add("expected", yesNo(m.expected()))
	e.Add("uptime", event.Seconds(m.now()-m.began))
	e.Add("left", strconv.Itoa(left))
	if m.end.reason != "" {
		e.Add("reason", m.end.reason)
	}
	if m.end.oom {
		e.Add("oom", "yes")
	}
	m.detail = m.why()
	m.announce(e)
}

// conclude does what follows once nothing of the program is left.
func conclude(m *machine) {
	m.pid = 0
	switch m.then {
	case thenStopped:
		m.rest(m.detail)
	case thenRestart:
		launch(m)
	case thenAgain:
		m.again()
	case thenRetry:
		m.retry()
	case thenExited:
		m.state, m.due, m.detail = exited, 0, m.why()
		m.publish()
		m.leaveIfTold()
	case thenFatal:
		m.giveUp()
	}
}

// again restarts at once what lived a second, else one second after its last
// start: never faster.
func (m *machine) again() {
	wait := m.began + time.Second - m.now()
	if wait > 0 {
		m.backOff(wait)
		return
	}
	relaunch(m)
}

func (m *machine) retry() {
	m.try++
	if m.try > m.spec.StartRetries {
		m.giveUp()
		return
	}
	m.backOff(backoff.Delay(m.spec.BackoffFirst, m.spec.BackoffMax, m.try))
}

func (m *machine) backOff(wait time.Duration) {
	detail := m.why()
	switch {
	case m.end.shortage:
		detail += ", will try again"
	case m.try > 0:
		detail += ", retry " + strconv.Itoa(m.try) + " of " + strconv.Itoa(m.spec.StartRetries)
	default:
		detail += ", restart"
	}
	keyValues := []string{"try", strconv.Itoa(m.try), "wait", event.Seconds(wait)}
	if m.end.reason != "" {
		keyValues = append(keyValues, "reason", m.end.reason)
	}
	m.enter(waiting, m.now()+wait, detail, event.Backoff, keyValues...)
}

func (m *machine) giveUp() {
	if m.spec.Restart == spec.Never {
		m.try++
	}
	detail := m.why()
	if m.try > 1 {
		detail += ", gave up after " + strconv.Itoa(m.try) + " starts"
	}
	m.enter(fatal, 0, detail, event.Fatal, "try", strconv.Itoa(m.try), "reason", m.why())
	m.leaveIfTold()
}

// rest is STOPPED because someone said so.
func rest(m *machine) {
	m.wish = statedir.WishDown
	m.rest("")
}

func (m *machine) rest(detail string) {
	m.try, m.scarce = 0, 0
	m.enter(stopped, 0, detail, event.Stopped)
	m.leaveIfTold()
}

func leave(m *machine) {
	m.leaving = true
	if m.state != stopped {
		m.rest("")
		return
	}
	m.leaveIfTold()
}

// leaveIfTold ends the loop in a state of rest, when it was told to or when
// nobody could start the program again.
func (m *machine) leaveIfTold() { m.done = m.done || m.leaving || m.uncommanded }

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

func beginLeave(m *machine) {
	m.leaving = true
	m.then = thenStopped
	m.shut("")
}

// beginCure ends a program that is given up by its health check or watchdog;
// its end counts as an unexpected exit.
func beginCure(m *machine) {
	m.then = thenExited
	if m.spec.Restart != spec.Never {
		m.then = thenAgain
	}
	m.shut(m.blame)
}

// stopNow is a stop that does not wait for the program to wind down.
func stopNow(m *machine) {
	m.wish = statedir.WishDown
	m.then = thenStopped
	m.shut("")
	killRest(m)
}

// shut sends the stop signal and SIGCONT, without which a stopped program
// would not hear it (signal(7)).
func (m *machine) shut(reason string) {
	m.killed = false
	sig := unix.Signal(m.spec.StopSignal)
	if m.abort {
		sig = unix.SIGABRT
	}
	m.state, m.due, m.detail = stopping, m.now()+m.spec.StopTime, reason
	m.signalProgram(sig)
	m.signalProgram(unix.SIGCONT)
	e := event.New(time.Now(), m.spec.Name, event.Stopping, "pid", strconv.Itoa(m.pid), "signal", signalName(sig))
	if reason != "" {
		e.Add("reason", reason)
	}
	m.announce(e)
}

// endedByStop: the program is gone, now what is left of its tree.
func endedByStop(m *machine) {
	m.pid, m.staged = 0, false
	if m.left() == 0 || m.spec.StopGroup == spec.Process {
		stopDone(m)
		return
	}
	if m.killed {
		m.signalRest(unix.SIGKILL)
		return
	}
	if m.spec.StopGroup == spec.Tree {
		m.signalRest(unix.Signal(m.spec.StopSignal))
	}
}

// killRest is the end of patience. What SIGKILL has not ended after five
// seconds is in state D; it is shown and waited for, never started twice.
func killRest(m *machine) {
	if m.killed {
		m.due, m.detail = 0, m.stuck()
		m.publish()
		return
	}
	m.killed = true
	m.due = m.now() + stuckAfter
	pid := m.pid
	m.signalProgram(unix.SIGKILL)
	if m.spec.StopGroup != spec.Process {
		m.signalRest(unix.SIGKILL)
	}
	m.announce(event.New(time.Now(), m.spec.Name, event.Killed, "pid", strconv.Itoa(pid)))
}

func killAgain(m *machine) {
	m.killed = false
	killRest(m)
}

const stuckAfter = 5 * time.Second

func stopDone(m *machine) {
	m.pid = 0
	switch m.then {
	case thenStopped:
		e := event.New(time.Now(), m.spec.Name, event.Stopped)
		m.end.addTo(&e)
		e.Add("uptime", event.Seconds(m.now()-m.began))
		m.state, m.due, m.detail, m.try, m.scarce = stopped, 0, "", 0, 0
		m.announce(e)
		m.leaveIfTold()
	case thenRestart:
		launch(m)
	default:
		m.tellEnd(0)
		conclude(m)
	}
}

func upAfter(m *machine) {
	m.wish = statedir.WishRestart
	m.then = thenRestart
}

func downAfter(m *machine) {
	m.wish = statedir.WishDown
	m.then = thenStopped
}

func leaveAfter(m *machine) {
	m.leaving = true
	if m.then == thenRestart || m.then == thenAgain || m.then == thenRetry {
		m.then = thenStopped
	}
}
