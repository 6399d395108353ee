package main

import (
	"strconv"
	"time"

	"taskmaster/lib/backoff"
	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// The actions of the table. Those without a receiver are its cells.

func stay(*machine) {}

func wishUp(m *machine)   { m.wish = statedir.WishUp }
func wishDown(m *machine) { m.wish = statedir.WishDown }

// launch starts the program because someone asked for it.
func launch(m *machine) {
	m.wish = statedir.WishUp
	m.try, m.scarce = 0, 0
	m.run(m.asked)
}

// relaunch is a start that nobody asked for.
func relaunch(m *machine) {
	m.restarts++
	if m.try == 0 && m.scarce == 0 {
		m.run(m.cure)
	} else {
		m.run("retry")
	}
}

func (m *machine) run(cause string) {
	m.enter(starting, 0, "")
	m.end, m.ended, m.remains, m.unsaid = ending{}, 0, 0, false
	m.then, m.killed, m.blame, m.abort, m.cure = thenStopped, false, "", false, "auto"
	m.isReady = m.spec.Ready.Kind == ""
	m.pid, m.staged, m.began = 0, false, m.now()
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
	m.due = m.startDeadline()
	m.tell(event.Starting).Int("pid", pid).Int("try", m.try+1).Word("cause", cause)
	m.announce()
	settle(m)
}

// startDeadline is when STARTING ends by itself: in RUNNING after starttime,
// or in a failed start when it is not ready in time; 0 for never. What tmd
// probes has all the time that tmd is away: tmd says when it is late.
func (m *machine) startDeadline() time.Duration {
	switch {
	case m.isReady:
		return m.began + m.spec.StartTime
	case m.spec.Ready.Kind != spec.Probed && m.spec.Ready.Timeout > 0:
		return m.began + m.spec.Ready.Timeout
	}
	return 0
}

// settle calls it RUNNING when it need not prove anything any more.
func settle(m *machine) {
	if m.isReady && !m.staged && (m.spec.Ready.Kind != "" || m.began+m.spec.StartTime <= m.now()) {
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
		beLate(m)
	}
}

// beLate ends a program that was not ready in time; its start has failed.
func beLate(m *machine) {
	if m.isReady {
		return
	}
	m.blame = "not ready within " + seconds(m.spec.Ready.Timeout)
	if m.detail != "" {
		m.blame += ": " + m.detail
	}
	m.then, m.unsaid = m.failedStart(), true
	m.shut(m.blame)
}

// beReady is the word that STARTING waits for. An exec stage is not the
// program yet, whatever a probe saw.
func beReady(m *machine) {
	if !m.isReady {
		m.isReady = true
		settle(m)
	}
}

func (m *machine) beRunning() {
	m.try, m.scarce = 0, 0
	m.enter(running, 0, "")
	m.tell(event.Running).Int("pid", m.pid)
	m.announce()
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

// takeEnd notes how the program ended, before died or failed is input.
func (m *machine) takeEnd(end ending) {
	end.pid = m.pid
	if m.blame != "" {
		end.reason, m.blame = m.blame, ""
	}
	m.end, m.ended = end, m.now()
}

// over is the end of a program that nobody had asked for: what it left behind
// is ended before anything follows.
func (m *machine) over() {
	if m.spec.Background == spec.Follow && m.end.clean() && m.follow() {
		m.end, m.staged = ending{}, false
		m.tell(event.Adopted).Int("pid", m.pid).Word("cause", "background")
		m.announce()
		return
	}
	m.pid, m.staged, m.unsaid = 0, false, true
	m.state, m.killed = sweeping, false
	m.remains = m.left()
	if m.remains == 0 || m.spec.StopGroup == spec.Process {
		conclude(m)
		return
	}
	m.enter(sweeping, m.now()+min(m.spec.StopTime, time.Second), m.why())
	sig := unix.Signal(m.spec.StopSignal)
	m.signalRest(sig)
	m.tell(event.Stopping).Int("pid", m.end.pid).Word("signal", signame.Of(sig)).
		Word("reason", m.detail).Int("left", m.remains)
	m.announce()
}

// tellEnd sends the exited event.
func (m *machine) tellEnd() {
	e := m.tell(event.Exited).Int("pid", m.end.pid)
	m.end.addTo(e)
	e.Word("expected", yesNo(m.expected()))
	e.Seconds("uptime", m.ended-m.began)
	e.Int("left", m.remains)
	if m.end.reason != "" {
		e.Word("reason", m.end.reason)
	}
	if m.end.oom {
		e.Word("oom", "yes")
	}
	if m.cure == "check" {
		e.Word("cause", m.cure)
	}
	m.unsaid = false
	if m.then == thenAgain && m.longEnough() {
		m.owe() // the next start comes first
	} else {
		m.announce()
	}
}

// conclude does what follows once nothing of the program is left.
func conclude(m *machine) {
	m.pid = 0
	if m.then == thenExited {
		m.enter(exited, 0, m.why())
		m.tellEnd()
		m.leaveIfTold()
		return
	}
	endKnown := m.unsaid // to those who read events
	if m.unsaid {
		m.due, m.detail = 0, m.why()
		m.tellEnd()
	}
	switch m.then {
	case thenStopped:
		m.beStopped(!endKnown)
	case thenRestart:
		launch(m)
	case thenAgain:
		m.again()
	case thenRetry:
		m.retry()
	case thenFatal:
		m.giveUp()
	}
}

// again restarts at once what lived a second, else one second after its last
// start: never faster.
func (m *machine) again() {
	if m.longEnough() {
		relaunch(m)
		return
	}
	m.backOff(m.began + time.Second - m.now())
}

func (m *machine) longEnough() bool { return m.began+time.Second <= m.now() }

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
	m.enter(waiting, m.now()+wait, detail)
	e := m.tell(event.Backoff).Int("try", m.try).Seconds("wait", wait)
	if m.end.reason != "" {
		e.Word("reason", m.end.reason)
	}
	m.announce()
}

func (m *machine) giveUp() {
	if m.spec.Restart == spec.Never {
		m.try++
	}
	detail := m.why()
	if m.try > 1 {
		detail += ", gave up after " + strconv.Itoa(m.try) + " starts"
	}
	m.beFatal(detail, m.why())
	m.leaveIfTold()
}

func (m *machine) beFatal(detail, reason string) {
	m.enter(fatal, 0, detail)
	m.tell(event.Fatal).Int("try", m.try).Word("reason", reason)
	m.announce()
}

// rest is STOPPED, from a state in which no program runs, because someone
// said so.
func rest(m *machine) {
	m.wish = statedir.WishDown
	m.beStopped(false)
}

// restAwaiting is STOPPED, from such a state, until tmd says start.
func restAwaiting(m *machine) {
	m.wish = statedir.WishUp
	m.beStopped(false)
}

// beStopped is told with how the program ended, unless an exited event said
// so already or it ended long ago.
func (m *machine) beStopped(withEnd bool) {
	m.try, m.scarce = 0, 0
	m.enter(stopped, 0, "")
	e := m.tell(event.Stopped)
	if withEnd {
		e.Int("pid", m.end.pid)
		m.end.addTo(e)
		e.Seconds("uptime", m.ended-m.began)
	}
	m.announce()
	m.leaveIfTold()
}

func leave(m *machine) {
	m.leaving = true
	if m.state != stopped {
		m.beStopped(false)
	}
	m.leaveIfTold()
}

// leaveIfTold ends the loop in a state of rest, when it was told to or when
// nobody could start the program again.
func (m *machine) leaveIfTold() { m.done = m.done || m.leaving || m.uncommanded }
