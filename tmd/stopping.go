package main

import (
	"math"
	"os"
	"slices"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/proto"

	"golang.org/x/sys/unix"
)

// A descent is a stop of several instances in the reverse of the order in
// which they are started: highest rank first, and what comes after something
// else before that.
type descent struct {
	verb    string // "stop", "await", or "exit" which ends the helper too
	cause   string
	ranks   map[*instance]int   // of all; strangers to the configuration have none
	before  map[string][]string // which programs come after a program, and so stop before it
	waiting map[*instance]bool  // not told yet
	sent    map[*instance]int   // told, not down yet: the number of that command
	perName map[string]int      // how many of a program are not down; it has all that ever were here
	perRank map[int]int
	prepare func(*instance) // nil, or runs before one is told
	done    func()          // nil, or runs when all are down
}

// stopInOrder begins a descent; what an earlier one has yet to tell the
// instances is not told any more.
func (d *daemon) stopInOrder(list []*instance, s *descent) {
	s.ranks, s.before = map[*instance]int{}, d.dependents(list)
	s.waiting, s.sent = map[*instance]bool{}, map[*instance]int{}
	s.perName, s.perRank = map[string]int{}, map[int]int{}
	for _, in := range list {
		d.spare(in)
		s.waiting[in] = true
		s.perName[in.program]++
		if in.conf != nil {
			s.ranks[in] = d.rankOf(in.conf)
			s.perRank[s.ranks[in]]++
		}
		in.stopsLater = true
	}
	d.descents = append(d.descents, s)
	d.descend(s)
	if s.verb == "stop" && s.cause == "user" {
		for in := range s.waiting {
			in.writeDown(in.nextCommand(s.verb, s.cause))
		}
	}
	d.endDescents()
}

// dependents tells which programs come after a program. Instances on their way
// out know what the new configuration does not.
func (d *daemon) dependents(list []*instance) map[string][]string {
	before := map[string][]string{}
	seen := map[string]bool{}
	enter := func(c *config.Instance) {
		if c == nil || seen[c.Program] {
			return
		}
		seen[c.Program] = true
		for _, a := range c.After {
			before[a.Program] = append(before[a.Program], c.Program)
		}
	}
	for _, in := range list {
		enter(in.conf)
	}
	for _, p := range d.listed {
		if len(p.instances) > 0 {
			enter(p.instances[0].conf)
		}
	}
	return before
}

// stopNext lets every descent go on that the news of an instance concerns.
func (d *daemon) stopNext(in *instance) {
	for _, s := range d.descents {
		seq, told := s.sent[in]
		switch {
		case told && (d.down(in) || in.seq > seq): // or someone wants it otherwise since
			delete(s.sent, in)
		case s.waiting[in] && in.gone:
			delete(s.waiting, in)
		default:
			continue
		}
		if s.drop(in) {
			d.descend(s)
		}
	}
	d.endDescents()
}

// drop counts one less, and reports whether that may concern others.
func (s *descent) drop(in *instance) bool {
	s.perName[in.program]--
	last := s.perName[in.program] == 0
	if rank, ranked := s.ranks[in]; ranked {
		if s.perRank[rank]--; s.perRank[rank] == 0 {
			delete(s.perRank, rank)
			last = true
		}
	}
	return last
}

// spare takes an instance of which something else is wanted out of what has
// yet to stop.
func (d *daemon) spare(in *instance) {
	if !in.stopsLater {
		return
	}
	in.stopsLater = false
	for _, s := range d.descents {
		if s.waiting[in] && s.verb != "exit" {
			delete(s.waiting, in)
			if s.drop(in) {
				d.descend(s)
			}
		}
	}
}

// endDescents does what was to follow those that are over.
func (d *daemon) endDescents() {
	var over []*descent
	d.descents = slices.DeleteFunc(d.descents, func(s *descent) bool {
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

// descend tells all that need not wait for others any more.
func (d *daemon) descend(s *descent) {
	highest := math.MinInt
	for rank := range s.perRank {
		highest = max(highest, rank)
	}
	for in := range s.waiting {
		rank, ranked := s.ranks[in]
		if ranked && (rank < highest || s.goesOn(in.program, map[string]bool{})) {
			continue
		}
		delete(s.waiting, in)
		in.stopsLater = false
		if s.prepare != nil {
			s.prepare(in)
		}
		d.order(in, s.verb, s.cause)
		s.sent[in] = in.seq
	}
}

// goesOn reports whether something that comes after a program, by way of
// programs that are not stopped too, is not down yet.
func (s *descent) goesOn(program string, seen map[string]bool) bool {
	for _, name := range s.before[program] {
		if s.perName[name] > 0 {
			return true
		}
		if _, here := s.perName[name]; here || seen[name] {
			continue
		}
		seen[name] = true
		if s.goesOn(name, seen) {
			return true
		}
	}
	return false
}

// down reports whether an instance that was told to stop has done so.
func (d *daemon) down(in *instance) bool {
	if in.gone {
		return true
	}
	switch in.state() {
	case "STOPPED", "EXITED", "FATAL":
		return in.heeded()
	}
	return false
}

// A shutdown is the orderly end of tmd.
type shutdown struct {
	hurried bool
}

// shutDown stops everything in order and then tmd; asked again, it does not
// wait for programs to wind down.
func (d *daemon) shutDown(by string) {
	if d.quitting {
		return // it ends already, and leaves the programs as it was told to
	}
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
	d.stopInOrder(all, &descent{
		verb: "exit", cause: "user", done: d.allDown,
		prepare: func(in *instance) { in.removing = true },
	})
}

func (d *daemon) hurry() {
	d.stop.hurried = true
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
	if d.stop != nil {
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
	o, rest, ok := parse(r, "k")
	if !ok {
		return
	}
	if len(rest) > 0 {
		r.Err(proto.Bad, "shutdown: unexpected argument "+rest[0])
		return
	}
	if o.Has('k') {
		// First it is so, then it is said: who was told may go on to SIGTERM.
		if get(d, func() bool { return d.keepAll(r.Peer) }) {
			<-d.gone
			r.OK("programs keep running")
		} else {
			r.Err(proto.State, errStopping.Error())
		}
		return
	}
	s := &subscriber{event: r.Event}
	refused := false
	d.ask(func() {
		d.audience[s] = true
		if d.stop == nil {
			d.shutDown(r.Peer)
		}
		refused = d.stop == nil // tmd is leaving the programs as they are
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
