package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// An instance is one process to keep, and its helper.
type instance struct {
	name    string
	program string
	since   time.Time        // when this tmd first knew of it
	conf    *config.Instance // nil for one that is only running, and on its way out
	run     statedir.Run
	keys    []*config.Key // the configuration that the helper has

	numbered int // no command up to this number is ours to send

	control int // writing end of the control FIFO, -1 when there is none
	helper  helper
	status  statedir.Status // as last read; State "" when there never was one
	heard   event.Event     // the last event that came through the FIFO

	seq         int       // of the last command sent
	unheeded    string    // that command, until a status shows its number
	queue       []byte    // commands that the FIFO had no room for
	respec      *alarm    // when it is given its configuration, after there was no room for it
	before      *instance // has the same name and is still being removed; nil when it has gone
	heldBy      string    // why it is not started yet: "waiting for db:0 (BACKOFF)"
	toldWaiting string    // the last of these that was made an event
	jobs        map[*job]bool
	removed     []func()        // to be called when it is gone
	writesTo    map[string]bool // log files that the program may have open
	notify      keptSocket
	probing     *probing  // nil unless tmd asks whether it is ready
	checking    *checking // nil unless it has health checks and is RUNNING

	// Side by side, since each alone would take as much as a pointer.
	outdated   bool // the helper has not been given the present configuration yet
	removing   bool // its helper was told to end, for good
	gone       bool // it has been forgotten
	stopsLater bool // a descent has yet to tell it to stop
	leftLog    bool // one less in writesTo than before
	ill        bool // unhealthy was told, and healthy not yet
	tellsSlack bool // the spec says which timer slack the program is to have
}

// A program is the instances of one key under programs:.
type program struct {
	conf      *config.Program
	since     time.Time // when the file was loaded
	instances []*instance
}

// configure gives it its part of a file. Where that says what the helper has
// already, one of the two in memory is enough.
func (in *instance) configure(conf *config.Instance) {
	in.conf = conf
	if in.keys != nil && len(config.Diff(in.keys, conf.Keys)) == 0 {
		in.keys = conf.Keys
	}
	in.noteLogs(false)
}

// everyone yields all instances, also those on their way out whose names
// others have already.
func (d *daemon) everyone(yield func(*instance) bool) {
	for _, in := range d.instances {
		for ; in != nil; in = in.before {
			if !yield(in) {
				return
			}
		}
	}
}

// holder is who has the directory, and the program if one runs: in itself, or
// one of its name that is still on its way out.
func (in *instance) holder() *instance {
	for in.before != nil {
		in = in.before
	}
	return in
}

// state is the instance's state in capitals.
func (in *instance) state() string {
	if in.status.State == "" {
		return statedir.Stopped
	}
	return in.status.State
}

// up reports RUNNING.
func (in *instance) up() bool { return in.state() == statedir.Running }

// heeded reports whether the helper has taken the last command.
func (in *instance) heeded() bool { return in.status.Seq >= in.seq }

// detail is why it is in its state, in words.
func (in *instance) detail() string {
	if in.heldBy != "" && in.state() == statedir.Stopped {
		return in.heldBy
	}
	if again := in.helper.again; again != nil && in.helper.pid == 0 {
		return "without tmsupervise, the next one in " + seconds(time.Until(again.at))
	}
	text := in.status.Detail
	if in.probing != nil && in.state() == statedir.Starting {
		text = in.probing.answer
	}
	if in.checking != nil && in.checking.sick != "" {
		return "unhealthy: " + in.checking.sick
	}
	if in.status.Due == 0 {
		return text
	}
	left := time.Duration(in.status.Due)*time.Millisecond - monotonic()
	switch in.state() {
	case statedir.Backoff:
		return text + " in " + seconds(left)
	case statedir.Stopping:
		if text == "" && in.status.PID != 0 {
			return "SIGKILL in " + seconds(left)
		}
	}
	return text
}

// uptime is how long the program has been running, 0 when none does.
func (in *instance) uptime() time.Duration {
	if in.status.PID == 0 {
		return 0
	}
	return max(0, monotonic()-time.Duration(in.status.Began)*time.Millisecond)
}

// monotonic is CLOCK_MONOTONIC, which helpers of other processes share. Go
// reads it without a system call, but only tells the difference of two times.
func monotonic() time.Duration { return bornAt + time.Since(born) }

var (
	born   = time.Now()
	bornAt = systemMonotonic()
)

func systemMonotonic() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// seconds shows a wait in whole seconds, never less than one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))) + " s"
}

// order sends a command that changes the wish: start, stop, restart, exit or
// kill. It is numbered, so that it can be sent again to the helper's successor.
func (d *daemon) order(in *instance, verb, cause string) {
	if in.gone {
		return
	}
	in.unheeded = in.nextCommand(verb, cause)
	in.seq = in.numbered
	if cause == "user" && verb != "exit" && verb != "kill" {
		in.writeDown(in.unheeded)
	}
	if in.before != nil {
		in.queue = nil // the helper to come need not begin with what is wanted no more
	}
	in.send(in.unheeded)
	switch {
	case in.helper.pid != 0:
		// A helper that someone stopped would be deaf, and a shutdown hang.
		procfs.SignalPidfd(in.helper.pidfd, unix.SIGCONT)
	case in.helper.again != nil:
		d.replaceHelper(in) // whoever waits for it should not wait for that
	}
}

func (in *instance) nextCommand(verb, cause string) string {
	in.numbered = max(in.numbered, in.status.Seq) + 1
	return verb + " seq=" + itoa(in.numbered) + " cause=" + cause
}

// writeDown keeps a user's command for the case that neither tmd nor the
// helper lives to see it heeded: what is in a FIFO goes with those who have it
// open, and what has to wait for others is not in it yet. Where there is no
// room for it the command is given all the same.
func (in *instance) writeDown(command string) {
	if err := statedir.Publish(in.run.Order(), []byte(command+"\n")); err != nil {
		die.Warn("unable to write "+in.run.Order(), err)
	}
}

// resumeOrder takes up the command that a tmd before wrote down, unless the
// helper has heeded it.
func (in *instance) resumeOrder() {
	text, err := statedir.ReadPublished(in.run.Order(), 4096)
	if err != nil {
		return
	}
	command := strings.TrimSuffix(string(text), "\n")
	_, rest, _ := strings.Cut(command, " seq=")
	number, _, _ := strings.Cut(rest, " ")
	if seq, err := strconv.Atoi(number); err == nil && seq > in.status.Seq {
		in.seq, in.numbered, in.unheeded = seq, max(seq, in.numbered), command
	}
}

// inFlight is above the number of commands that a control FIFO of 64 KiB
// holds. A tmd numbers its own beyond those that one before it may have
// written and the helper not yet read.
const inFlight = 1 << 13

// tell sends words that are no wish: reload, reaped, ready, signal.
func (in *instance) tell(words ...string) { in.send(line.Join(words...)) }

// send writes one line with one write(2). A stopped helper may let the FIFO
// fill up; then the lines wait here.
func (in *instance) send(text string) {
	in.queue = append(in.queue, text+"\n"...)
	in.flush()
}

// keptCommands bounds, in bytes, what waits for a helper that does not read;
// then the oldest command is given up.
const keptCommands = 1 << 16

// flush writes what waits, as far as the FIFO has room. tmd has its other end open
// too, so there is no other reason that could pass.
func (in *instance) flush() {
	for len(in.queue) > 0 && in.control >= 0 {
		end := bytes.IndexByte(in.queue, '\n') + 1
		_, err := unix.Write(in.control, in.queue[:end])
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN {
			if len(in.queue) > keptCommands {
				in.queue = in.queue[end:]
			}
			return
		}
		in.queue = in.queue[end:]
	}
	if len(in.queue) == 0 {
		in.queue = nil
	}
}

// refresh reads the status file and tells everyone whom the change concerns.
func (d *daemon) refresh(in *instance) {
	if status, ok := d.readStatus(in); ok {
		in.take(status)
		d.statusChanged(in)
	}
}

// readStatus reads the status file; one of another boot tells nothing.
func (d *daemon) readStatus(in *instance) (status statedir.Status, ok bool) {
	status, err := in.run.ReadStatus()
	if err != nil || status.Boot != d.boot {
		return statedir.Status{}, false
	}
	status.Boot = d.boot // of thousands, one in memory is enough
	return status, true
}

func (in *instance) take(status statedir.Status) {
	over := status.PID == 0 && status.State != statedir.Stopping // with all of its tree
	if over || status.PID != 0 && status.Start != in.status.Start || in.writesTo == nil {
		in.noteLogs(true)
	}
	in.status = status
	in.seq = max(in.seq, status.Seq)
	if in.heeded() {
		in.unheeded = ""
	}
	in.flush()
}

// statusChanged is the one place that everything waiting for a state hangs on.
func (d *daemon) statusChanged(in *instance) {
	if in.outdated && in.conf != nil && in.status.Since == 0 {
		in.outdated = false
		d.bringUpToDate(in)
	}
	if in.leftLog {
		in.leftLog = false
		d.logUnused()
	}
	d.startNext(in)
	d.stopNext(in)
	for j := range in.jobs {
		j.look(in)
	}
	d.minding(in)
}

// inheritedEnded tells a helper how its adopted program ended, since only tmd
// could wait for it.
func (d *daemon) inheritedEnded(who process, status unix.WaitStatus) {
	for in := range d.everyone {
		if in.status.PID == who.pid && in.status.Start == who.start {
			in.tell("reaped", itoa(who.pid), itoa(int(status)))
			return
		}
	}
}

// helpersHint gives a helper that is about to start what tmd knows of the end
// of the program that its status names.
func (d *daemon) helpersHint(in *instance) {
	who := process{in.status.PID, in.status.Start}
	if status, ok := d.children.ended[who]; ok {
		in.tell("reaped", itoa(who.pid), itoa(int(status)))
	}
}

// openControl opens the way to the helper. tmd holds it open for reading and
// writing, so that a command that a helper did not live to read waits for the
// next.
func (in *instance) openControl() {
	if in.control >= 0 {
		return
	}
	fd, err := statedir.OpenFIFO(in.run.Control(), unix.O_NONBLOCK)
	if err != nil {
		die.Warn("unable to open "+in.run.Control(), err)
		return
	}
	in.control = fd
	in.flush()
}

// programStat is what /proc says of the program, when it is still that one.
func (in *instance) programStat() (procfs.Stat, bool) {
	if in.status.PID == 0 {
		return procfs.Stat{}, false
	}
	s, err := procfs.ReadStat(in.status.PID)
	return s, err == nil && s.Start == in.status.Start
}
