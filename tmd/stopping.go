package main

import (
	"math"
	"slices"

	"taskmaster/lib/config"
	"taskmaster/lib/statedir"
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
	case statedir.Stopped, statedir.Exited, statedir.Fatal:
		return in.heeded()
	}
	return false
}
