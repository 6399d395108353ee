package main

import (
	"slices"
	"time"

	"taskmaster/lib/backoff"
	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"
	"taskmaster/lib/timerslack"

	"golang.org/x/sys/unix"
)

// A helper is the tmsupervise of one instance.
type helper struct {
	pid     int // 0 when none lives
	pidfd   int
	since   time.Time
	trouble int    // times in a row that it died within a second
	again   *alarm // when it is to be started next
}

// findHelper looks for a living helper by its lock and watches it.
func (d *daemon) findHelper(in *instance) bool {
	pid, err := statedir.Holder(in.run.Lock())
	if err != nil || pid <= 0 {
		return false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	// The pidfd names the holder only if it still is one now.
	if again, err := statedir.Holder(in.run.Lock()); err != nil || again != pid {
		unix.Close(fd)
		return false
	}
	d.watchHelper(in, pid, fd)
	return true
}

func (d *daemon) watchHelper(in *instance, pid, fd int) {
	in.helper.pid, in.helper.pidfd, in.helper.since = pid, fd, time.Now()
	if err := d.watcher.watch(fd, func() { d.helperEnded(in) }); err != nil {
		die.Warn("unable to watch the helper of "+in.name, err)
		unix.Close(fd)
		in.helper.pidfd = -1
	}
}

// startHelper starts a helper; it finds by itself whether its program lives.
func (d *daemon) startHelper(in *instance) {
	d.makeUp(in)
	d.forkHelper(in)
	d.connect(in)
}

func (d *daemon) forkHelper(in *instance) {
	in.helper.again = nil
	var pid int
	var err error
	pid, err = d.children.start(child{
		path: d.ownProgram("tmsupervise"), argv: []string{"tmsupervise", "-d", string(in.run)},
		env: d.helperEnv(), files: [3]int{d.null, 1, 2}, more: in.inherited(), slack: in.helperSlack(),
	}, func(unix.WaitStatus) {
		if in.helper.pid == pid && in.helper.pidfd < 0 {
			d.helperEnded(in) // it could not be watched otherwise
		}
	})
	if err != nil {
		die.Warn("unable to start the helper of "+in.name, err)
		in.helper.trouble++
		d.startHelperLater(in)
		return
	}
	in.helper.pid, in.helper.pidfd, in.helper.since = pid, -1, time.Now()
}

// helperSlack is the timer slack of a helper. One whose spec comes from a tmd
// that wrote none gets tmd's own, since its program has what the helper has.
func (in *instance) helperSlack() int {
	if in.tellsSlack {
		return timerslack.Coarse
	}
	return 0
}

// makeUp makes what a full disk had no room for when the instance was taken on.
func (d *daemon) makeUp(in *instance) {
	if in.keys != nil || in.conf == nil {
		return
	}
	if err := in.run.Create(); err != nil {
		die.Warn("unable to make "+string(in.run), err)
		return
	}
	d.writeSpec(in)
}

// helperEnv makes the Go runtime of the helper small. Its program's
// environment comes whole from the spec; of tmd's it needs only the PATH, and
// each further variable would take memory in every copy. Without a limit on
// memory GOGC=off means a heap without bounds to the runtime, which then asks
// for huge pages for its tables at the first collection: 2 MB.
func (d *daemon) helperEnv() []string {
	env := []string{"GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=64MiB"}
	for _, entry := range d.env {
		if hasName(entry, "PATH") {
			env = append(env, entry)
		}
	}
	return env
}

// plainEnv is tmd's environment without what tunes the Go runtime.
func (d *daemon) plainEnv() []string {
	return slices.DeleteFunc(slices.Clone(d.env), func(entry string) bool {
		return hasName(entry, "GOMAXPROCS") || hasName(entry, "GOGC") || hasName(entry, "GODEBUG")
	})
}

func hasName(entry, name string) bool {
	return len(entry) > len(name) && entry[len(name)] == '=' && entry[:len(name)] == name
}

// helperEnded starts the next helper at once, or, if it cannot live, ever
// later. A helper that was told to end has left nothing behind.
func (d *daemon) helperEnded(in *instance) {
	lived := time.Since(in.helper.since)
	in.helper.pid = 0
	d.children.reap() // so that what it leaves us is known
	d.events.drain(d) // and what it said
	if in.removing && in.vanished() {
		in.killUnheard()
		d.forget(in)
		return
	}
	d.refresh(in)
	d.catchUp(in)
	if in.removing && in.nothingLeft() {
		d.forget(in)
		return
	}
	if lived >= time.Second {
		in.helper.trouble = 0
	}
	in.helper.trouble++
	if in.unheeded != "" {
		in.send(in.unheeded)
	}
	d.helpersHint(in)
	if in.helper.trouble > 2 {
		d.startHelperLater(in)
		return
	}
	d.replaceHelper(in)
}

// nothingLeft reports whether neither the program nor anything it left is to
// be ended any more.
func (in *instance) nothingLeft() bool {
	return in.status.PID == 0 && in.status.Since == 0 && in.state() != statedir.Stopping
}

// vanished reports whether somebody removed the directory of an instance: no
// helper can run there, and nothing can be heard of it any more.
func (in *instance) vanished() bool {
	var st unix.Stat_t
	return unix.Stat(string(in.run), &st) == unix.ENOENT
}

// killUnheard ends what a helper left that died without having ended it, since
// no other can.
func (in *instance) killUnheard() {
	pidfd, err := procfs.OpenPidfd(in.status.PID, in.status.Start)
	if err != nil {
		return // there is none, as usual
	}
	defer unix.Close(pidfd)
	if !procfs.PidfdExited(pidfd) && procfs.SignalPidfd(pidfd, unix.SIGKILL) == nil {
		die.Warn("killed "+in.name+" (pid "+itoa(in.status.PID)+"): its directory was removed and its tmsupervise died", nil)
	}
}

func (d *daemon) startHelperLater(in *instance) {
	wait := backoff.Delay(time.Second, time.Minute, in.helper.trouble-2)
	in.helper.again = d.after(wait, func() { d.replaceHelper(in) })
}

// replaceHelper starts a helper, unless one lives that we do not know: it was
// on its way to the lock when we looked, started by the tmd before us.
func (d *daemon) replaceHelper(in *instance) {
	d.cancel(in.helper.again)
	in.helper.again = nil
	if !d.findHelper(in) {
		d.startHelper(in)
	}
}

// catchUp logs the event that a helper put into its status but did not live
// to send.
func (d *daemon) catchUp(in *instance) {
	last := in.status.Event
	if last.Kind == "" || last.Get("pid") == "0" || last.Same(&in.heard) {
		return
	}
	d.happened(in, last, last.Append(nil))
}

// remove ends instances for good: program, helper and directory.
func (d *daemon) remove(list []*instance) {
	for _, in := range list {
		in.removing = true
		d.unhold(in)
	}
	d.stopInOrder(list, &descent{verb: "exit", cause: "reload"})
}

// forget is the end of it.
func (d *daemon) forget(in *instance) {
	in.gone = true
	d.cancel(in.helper.again)
	d.stopMinding(in)
	in.dropNotify()
	if in.control >= 0 {
		unix.Close(in.control)
		in.control = -1
	}
	if err := in.run.Remove(); err != nil {
		die.Warn("unable to remove "+string(in.run), err)
	}
	if d.instances[in.name] == in {
		delete(d.instances, in.name)
		d.inOrder = nil
	}
	// First those who wanted it gone, then those for whom that is a failure.
	for _, then := range in.removed {
		then()
	}
	why := "removed by a reload"
	if d.stopping {
		why = errStopping.Error()
	}
	for j := range in.jobs {
		j.lose(in, why)
	}
	d.leaveLogs(in)
	d.stopNext(in)
}

// happened does everything that an event of an instance entails.
func (d *daemon) happened(in *instance, e event.Event, text []byte) {
	if e.Kind == event.Heeded {
		return
	}
	in.heard = e
	if e.Same(&in.status.Event) {
		in.heard = in.status.Event // of thousands, one in memory is enough
	}
	d.publish(e, text)
	for j := range in.jobs {
		j.hear(in, text)
	}
}
