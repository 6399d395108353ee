package main

import (
	"os"
	"slices"
	"time"

	"taskmaster/lib/proto"

	"golang.org/x/sys/unix"
)

// A descent is a stop of several instances in the reverse of the order in
// which they are started: highest priority first, and what comes after
// something else before that.
type descent struct {
	verb    string // "stop", or "exit" which ends the helper too
	cause   string
	waiting map[*instance]bool // not told yet
	sent    map[*instance]bool // told, not down yet
	done    func()
}

// stopInOrder begins a descent; done, if not nil, runs when all are down.
func (d *daemon) stopInOrder(list []*instance, verb string, done func()) {
	s := &descent{verb: verb, cause: "user", waiting: map[*instance]bool{}, sent: map[*instance]bool{}, done: done}
	for _, in := range list {
		s.waiting[in] = true
	}
	d.descents = append(d.descents, s)
	d.descend(s)
	d.stopNext(nil)
}

// stopNext lets every descent that the news of an instance concerns go on.
func (d *daemon) stopNext(in *instance) {
	if len(d.descents) == 0 {
		return
	}
	var over []*descent
	d.descents = slices.DeleteFunc(d.descents, func(s *descent) bool {
		if in != nil && (s.sent[in] || s.waiting[in]) && d.down(in) {
			delete(s.sent, in)
			if len(s.waiting) > 0 {
				d.descend(s)
			}
		}
		if len(s.waiting)+len(s.sent) > 0 {
			return false
		}
		over = append(over, s)
		return true
	})
	for _, s := range over {
		if s.done != nil {
			s.done()
		}
	}
}

func (d *daemon) descend(s *descent) {
	highest, ordered := s.highest()
	for in := range s.waiting {
		if d.instances[in.name] != in {
			delete(s.waiting, in)
			continue
		}
		if ordered && (in.conf != nil && in.conf.Priority < highest || d.neededBySome(s, in)) && d.mustWait(s, in) {
			continue
		}
		delete(s.waiting, in)
		s.sent[in] = true
		if s.verb == "exit" {
			in.removing = true
		}
		d.order(in, s.verb, s.cause)
	}
}

// down reports whether an instance that was told to stop has done so.
func (d *daemon) down(in *instance) bool {
	if d.instances[in.name] != in {
		return true
	}
	switch in.state() {
	case "STOPPED", "EXITED", "FATAL":
		return in.heeded()
	}
	return false
}

// highest is the highest priority among those that are not down; ordered is
// false when nothing has to wait for anything.
func (s *descent) highest() (highest int, ordered bool) {
	first := true
	for _, set := range []map[*instance]bool{s.waiting, s.sent} {
		for in := range set {
			if in.conf == nil {
				continue
			}
			if !first && in.conf.Priority != highest || len(in.conf.After) > 0 {
				ordered = true
			}
			if first || in.conf.Priority > highest {
				highest, first = in.conf.Priority, false
			}
		}
	}
	return highest, ordered
}

// neededBySome reports whether some other instance of the descent comes after
// this one.
func (d *daemon) neededBySome(s *descent, in *instance) bool {
	for _, set := range []map[*instance]bool{s.waiting, s.sent} {
		for other := range set {
			if other != in && other.conf != nil && d.comesAfter(other.conf, in.program, nil) {
				return true
			}
		}
	}
	return false
}

// mustWait reports whether another instance has to be down first.
func (d *daemon) mustWait(s *descent, in *instance) bool {
	for _, set := range []map[*instance]bool{s.waiting, s.sent} {
		for other := range set {
			if other == in || other.conf == nil || in.conf == nil {
				continue
			}
			if d.comesAfter(other.conf, in.program, nil) {
				return true
			}
			if other.conf.Priority > in.conf.Priority && !d.comesAfter(in.conf, other.program, nil) {
				return true
			}
		}
	}
	return false
}

// A shutdown is the orderly end of tmd.
type shutdown struct {
	waiters []chan struct{} // clients that asked for it
	hurried bool
}

// shutDown stops everything in order and then tmd; asked again, it does not
// wait for programs to wind down.
func (d *daemon) shutDown(by string) {
	if d.stop != nil {
		d.hurry()
		return
	}
	d.stop = &shutdown{}
	d.tell("stopping", "by", by)
	var all []*instance
	for _, in := range d.instances {
		d.unhold(in)
		all = append(all, in)
	}
	d.stopInOrder(all, "exit", d.allDown)
}

func (d *daemon) hurry() {
	d.stop.hurried = true
	for _, in := range d.instances {
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
		in.removed = append(in.removed, d.ifEmpty)
	}
	d.ifEmpty()
}

func (d *daemon) ifEmpty() {
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
	if d.stop != nil {
		for _, done := range d.stop.waiters {
			close(done)
		}
	}
	go d.serveLate()
	if d.leave != nil {
		d.leave()
		return d.status
	}
	d.clients.Close()
	os.Remove(d.dir.Address())
	unix.Unlink(d.dir.Events())
	unix.Unlink(d.dir.Boot())
	return d.status
}

// keepAll ends tmd and leaves all else running for the next one.
func (d *daemon) keepAll(by string) {
	d.tell("stopping", "by", by, "keep", "yes")
	d.quitting = true
	d.leave = func() {
		d.clients.Close()
		os.Remove(d.dir.Address())
	}
}

func doShutdown(d *daemon, r *proto.Request) {
	o, rest, ok := parse(r, "k")
	if !ok {
		return
	}
	if len(rest) > 0 {
		r.Err(proto.Bad, "shutdown: unexpected argument "+rest[0])
		return
	}
	if o.Has('k') {
		if get(d, func() bool { return d.stop != nil }) {
			r.Err(proto.State, errStopping.Error())
			return
		}
		r.OK("programs keep running")
		d.ask(func() { d.keepAll(r.Peer) })
		return
	}
	done := make(chan struct{})
	s := &subscriber{event: r.Event}
	d.ask(func() {
		d.audience[s] = true
		if d.stop == nil {
			d.shutDown(r.Peer)
		}
		d.stop.waiters = append(d.stop.waiters, done)
	})
	select {
	case <-done:
		r.OK("")
	case <-r.Done():
		// tmd's end closes Done of every request; the loop is gone then.
		select {
		case <-done:
			r.OK("")
		default:
			r.Err(proto.State, "ended")
		}
	}
}
