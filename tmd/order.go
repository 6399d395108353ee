package main

import (
	"cmp"
	"slices"

	"taskmaster/lib/config"
	"taskmaster/lib/event"
	"taskmaster/lib/natural"
	"taskmaster/lib/statedir"
)

// A batch is the starts that wait for others: for what `after` names, and for
// those of a lower rank.
type batch struct {
	held      map[*instance]string // to be started, and with which cause
	unsettled map[*instance]bool   // started, but not RUNNING, EXITED or failed yet
	awaited   map[*instance]bool   // those that the held ones wait for, one for each of them
}

// startInOrder starts instances as soon as they may be.
func (d *daemon) startInOrder(list []*instance, cause string) {
	for _, in := range list {
		d.spare(in)
		d.batch.held[in] = cause
	}
	d.release()
	d.endDescents()
}

// startNext looks whether the news of an instance lets others start.
func (d *daemon) startNext(in *instance) {
	if d.batch.unsettled[in] && in.settled() {
		delete(d.batch.unsettled, in)
	}
	if len(d.batch.held) == 0 {
		return
	}
	if _, held := d.batch.held[in]; held || d.batch.awaited[in] {
		d.release() // of no other the news can change anything
	}
	if d.willStay(in, config.After{}) && in.toldAll() {
		d.lookAtHeld()
	}
}

// toldAll reports whether the event that a status goes with was heard: a
// client is shown why something failed before it hears that this was in vain.
func (in *instance) toldAll() bool {
	last := in.status.Event
	return in.heard.Time.After(last.Time) || in.heard.Time.Equal(last.Time) && in.heard.Kind == last.Kind
}

// lookAtHeld tells those who wait for a start that it may never come.
func (d *daemon) lookAtHeld() {
	for in := range d.batch.held {
		for j := range in.jobs {
			j.look(in)
		}
	}
}

// settled reports whether a start has come to something: RUNNING, an end, or
// a first failure.
func (in *instance) settled() bool {
	if !in.heeded() {
		return false
	}
	switch in.state() {
	case statedir.Starting:
		return in.status.Try > 0
	case statedir.Stopping:
		return false
	}
	return true
}

// release starts all that nothing holds back any more, lowest rank first.
// What waits for a program keeps nobody of a higher rank from starting: it
// may have to wait for long.
func (d *daemon) release() {
	clear(d.batch.awaited)
	free := d.freeOfOthers()
	slices.SortFunc(free, func(a, b *instance) int {
		return cmp.Or(cmp.Compare(d.rankOf(a.conf), d.rankOf(b.conf)), natural.Compare(a.name, b.name))
	})
	first := d.batch.lowestUnsettled(d)
	for _, in := range free {
		if first != nil && d.rankOf(first.conf) < d.rankOf(in.conf) && !in.alive() {
			d.hold(in, first)
			continue
		}
		d.startHeld(in)
		if first == nil || d.rankOf(in.conf) < d.rankOf(first.conf) {
			first = in
		}
	}
}

// freeOfOthers are the held ones for which all that they come after is so.
func (d *daemon) freeOfOthers() (free []*instance) {
	unmet := map[config.After]*instance{} // many wait for the same
	for in := range d.batch.held {
		if in.conf == nil || d.stopping {
			d.unhold(in)
			continue
		}
		if other := d.waitsFor(in, unmet); other != nil {
			d.hold(in, other)
			d.tellWaiting(in, other)
			continue
		}
		free = append(free, in)
	}
	return free
}

// waitsFor is the first instance found that is not as `after` wants it, nil
// when all are.
func (d *daemon) waitsFor(in *instance, unmet map[config.After]*instance) *instance {
	if in.alive() {
		return nil
	}
	for _, a := range in.conf.After {
		other, known := unmet[a]
		if !known {
			other = d.unmet(a)
			unmet[a] = other
		}
		if other != nil {
			return other
		}
	}
	return nil
}

// tellWaiting makes an event of it when the wait begins, and once more when it
// waits for what is in trouble.
func (d *daemon) tellWaiting(in, other *instance) {
	switch other.state() {
	case statedir.Backoff, statedir.Fatal, statedir.Exited:
		if in.toldWaiting == in.heldBy {
			return
		}
	default:
		if in.toldWaiting != "" {
			return
		}
	}
	in.toldWaiting = in.heldBy
	d.tellOf(in, event.Waiting, "reason", in.heldBy)
}

// alive reports whether the program runs already: a start of it waits for
// nothing.
func (in *instance) alive() bool {
	return in.heeded() && (in.state() == statedir.Running || in.state() == statedir.Starting)
}

func (b *batch) lowestUnsettled(d *daemon) (lowest *instance) {
	for in := range b.unsettled {
		if in.conf != nil && (lowest == nil || d.rankOf(in.conf) < d.rankOf(lowest.conf)) {
			lowest = in
		}
	}
	return lowest
}

func (d *daemon) startHeld(in *instance) {
	cause := d.batch.held[in]
	d.unhold(in)
	d.batch.unsettled[in] = true
	d.order(in, "start", cause)
}

// hold takes down why an instance is not started yet. That someone wants it
// is a wish, which has to outlive tmd; at boot the configuration says so.
func (d *daemon) hold(in, other *instance) {
	begins := in.heldBy == ""
	in.heldBy = "waiting for " + other.name + " (" + other.state() + ")"
	d.batch.awaited[other] = true
	cause := d.batch.held[in]
	if begins && (cause == "user" || in.state() != statedir.Stopped) && !in.awaits() {
		d.order(in, "await", cause)
	}
}

// awaits reports whether the helper has the wish already.
func (in *instance) awaits() bool {
	return in.heeded() && in.state() == statedir.Stopped && in.status.Wish == statedir.WishUp
}

// unhold takes an instance out of the batch: it was stopped or removed.
func (d *daemon) unhold(in *instance) {
	delete(d.batch.held, in)
	delete(d.batch.unsettled, in)
	in.heldBy, in.toldWaiting = "", ""
}

// unmet is an instance of a program that is not as `after` wants it, nil when
// all are. It is the last one, which is likely to be so the longest: as long as
// it is, what waits need not be looked at again.
func (d *daemon) unmet(a config.After) *instance {
	p := d.programs[a.Program]
	if p == nil {
		return nil
	}
	for _, in := range slices.Backward(p.instances) {
		if !in.meets(a) {
			return in
		}
	}
	return nil
}

// meets reports whether an instance is as `after` wants it.
func (in *instance) meets(a config.After) bool {
	if !in.heeded() {
		return false
	}
	if a.Until == "exited" {
		return in.state() == statedir.Exited && in.status.Event.Get("expected") == "yes"
	}
	return in.up()
}

// willStay reports whether an instance stays as it is unless someone starts
// it: nobody need wait for it.
func (d *daemon) willStay(in *instance, a config.After) bool {
	if in.heldBy != "" || !in.heeded() {
		return false
	}
	switch in.state() {
	case statedir.Stopped, statedir.Fatal, statedir.Exited:
		return !in.meets(a)
	}
	return false
}

// stuck reports whether what an instance waits for, by way of others too, will
// not come by itself.
func (d *daemon) stuck(in *instance, seen map[*instance]bool) bool {
	if in.conf == nil || seen[in] {
		return false
	}
	seen[in] = true
	for _, a := range in.conf.After {
		p := d.programs[a.Program]
		if p == nil {
			continue
		}
		for _, other := range p.instances {
			if d.willStay(other, a) || other.heldBy != "" && d.stuck(other, seen) {
				return true
			}
		}
	}
	return false
}

// rankOf is the priority of an instance, but never lower than that of what it
// comes after: so the order by rank is never against `after`.
func (d *daemon) rankOf(c *config.Instance) int {
	rank := c.Priority
	for _, a := range c.After {
		rank = max(rank, d.programRank(a.Program))
	}
	return rank
}

func (d *daemon) programRank(name string) int {
	if rank, known := d.ranks[name]; known {
		return rank
	}
	rank := 0
	if p := d.programs[name]; p != nil {
		for _, in := range p.instances {
			if in.conf != nil {
				rank = max(rank, d.rankOf(in.conf))
			}
		}
	}
	d.ranks[name] = rank
	return rank
}

// haveOrder reports whether not all of these instances may be stopped and
// started at the same time.
func (d *daemon) haveOrder(list []*instance) bool {
	var first *config.Instance
	for _, in := range list {
		switch {
		case in.conf == nil:
		case first == nil:
			first = in.conf
		case d.rankOf(in.conf) != d.rankOf(first):
			return true
		}
	}
	return d.related(list)
}

// related reports whether some of these instances come after others of them.
func (d *daemon) related(list []*instance) bool {
	among := map[string]bool{}
	for _, in := range list {
		among[in.program] = true
	}
	seen := map[string]bool{}
	return slices.ContainsFunc(list, func(in *instance) bool {
		return in.conf != nil && d.reaches(in.conf.After, among, seen)
	})
}

// reaches reports whether `after` leads to one of some programs.
func (d *daemon) reaches(after []config.After, programs, seen map[string]bool) bool {
	for _, a := range after {
		if programs[a.Program] {
			return true
		}
		if seen[a.Program] {
			continue
		}
		seen[a.Program] = true
		if p := d.programs[a.Program]; p != nil && len(p.instances) > 0 && p.instances[0].conf != nil &&
			d.reaches(p.instances[0].conf.After, programs, seen) {
			return true
		}
	}
	return false
}
