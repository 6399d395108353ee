package main

import (
	"os"
	"time"

	"taskmaster/lib/proto"

	"golang.org/x/sys/unix"
)

// shutDown stops everything in order and then tmd; asked again, it does not
// wait for programs to wind down.
func (d *daemon) shutDown(by string) {
	if d.quitting {
		return // it ends already, and leaves the programs as it was told to
	}
	if d.stopping {
		d.hurry()
		return
	}
	d.stopping = true
	d.tell("stopping", "by", by)
	var all []*instance
	for _, in := range d.instances {
		d.unhold(in)
		all = append(all, in)
	}
	d.stopInOrder(all, &descent{
		verb: "exit", cause: "user", done: d.allDown,
		prepare: func(in *instance) { in.removing = true },
	})
}

// hurry has the helpers kill what is still winding down.
func (d *daemon) hurry() {
	for in := range d.everyone {
		if !in.removing {
			in.removing = true
			d.order(in, "exit", "user")
		}
		d.order(in, "kill", "user")
	}
}

// allDown: every program has stopped. The helpers are about to leave; what
// they have said is logged, then the writers go, the event log last.
func (d *daemon) allDown() {
	for _, in := range d.instances {
		in.removed = append(in.removed, d.endIfEmpty)
	}
	d.endIfEmpty()
}

// endIfEmpty ends tmd once the last instance has gone: first those who read a
// FIFO of it have their time to write down what that holds.
func (d *daemon) endIfEmpty() {
	if len(d.instances) > 0 || d.quitting {
		return
	}
	d.events.drain(d)
	d.tell("stopped")
	d.after(lastWords, func() { d.quitting = true })
	rest := 1
	ended := func() {
		if rest--; rest == 0 {
			d.log.finish(func() { d.quitting = true })
		}
	}
	for _, l := range d.logs {
		rest++
		l.finish(ended)
	}
	if d.mail != nil {
		rest++
		d.mail.finish(ended)
	}
	ended()
}

// lastWords is how long the log writers may take to finish; what a full disk
// has no room for is lost then.
const lastWords = 10 * time.Second

// finish is what remains to be done after the loop; it returns the exit code.
func (d *daemon) finish() int {
	go d.serveLate()
	if d.leave != nil {
		d.leave()
		return d.status
	}
	unix.Unlink(d.dir.Events())
	unix.Unlink(d.dir.Boot())
	d.letGo()
	d.clients.Close()
	return d.status
}

// keepAll ends tmd and leaves all else running for the next one.
// It returns false when all is being stopped already.
func (d *daemon) keepAll(by string) bool {
	if d.stopping {
		return false
	}
	d.tell("stopping", "by", by, "keep", "yes")
	d.quitting = true
	d.leave = func() {
		d.letGo()
		d.clients.Close()
	}
	return true
}

// letGo leaves state directory and port to another tmd. Only then the clients
// that asked for the end are told, since they may start that one at once.
func (d *daemon) letGo() {
	os.Remove(d.dir.Address())
	d.listener.Close()
	unix.Close(d.lock)
	close(d.gone)
}

func doShutdown(d *daemon, r *proto.Request) {
	o, ok := onlyOptions(r, "k")
	if !ok {
		return
	}
	if !o.Has('k') {
		d.stopForClient(r)
		return
	}
	// First it is so, then it is said: who was told may go on to SIGTERM.
	if get(d, func() bool { return d.keepAll(r.Peer) }) {
		<-d.gone
		r.OK("programs keep running")
	} else {
		r.Err(proto.State, errStopping.Error())
	}
}

// stopForClient begins a shutdown, or waits for one that has begun, and shows
// the client what happens until tmd is gone.
func (d *daemon) stopForClient(r *proto.Request) {
	s := &subscriber{event: r.Event}
	refused := false
	d.ask(func() {
		d.audience[s] = true
		if !d.stopping {
			d.shutDown(r.Peer)
		}
		refused = !d.stopping // tmd is leaving the programs as they are
	})
	if refused {
		r.Err(proto.State, errStopping.Error())
		return
	}
	select {
	case <-d.gone:
		r.OK("")
	case <-r.Done():
		// tmd's end closes Done of every request; the loop is gone then.
		select {
		case <-d.gone:
			r.OK("")
		default:
			r.Err(proto.State, "ended")
		}
	}
}
