package main

import (
	"math"
	"slices"
	"strconv"

	"taskmaster/lib/config"
)

// A batch is the starts that wait for others: for those of a lower priority
// in the same batch, and for what `after` names.
//
// Instances whose state is not settled yet hold back those of a higher
// priority, unless they themselves come after these.
type batch struct {
	held      map[*instance]string // to be started, and with which cause
	unsettled map[*instance]bool   // started, but not RUNNING, EXITED or failed yet
}

// startInOrder starts instances as soon as they may be.
func (d *daemon) startInOrder(list []*instance, cause string) {
	if d.batch == nil {
		d.batch = &batch{held: map[*instance]string{}, unsettled: map[*instance]bool{}}
	}
	for _, in := range list {
		d.batch.held[in] = cause
	}
	d.release()
}

// startNext looks whether the news of an instance lets others start.
func (d *daemon) startNext(in *instance) {
	b := d.batch
	if b == nil {
		return
	}
	if b.unsettled[in] && in.settled() {
		delete(b.unsettled, in)
	}
	if len(b.held) > 0 {
		d.release()
	}
}

// settled reports whether a start has come to something: RUNNING, an end, or
// a first failure.
func (in *instance) settled() bool {
	if !in.heeded() {
		return false
	}
	switch in.state() {
	case "STARTING":
		return in.status.Try > 0
	case "STOPPING":
		return false
	}
	return true
}

// release starts all that nothing holds back any more, lowest priority first.
func (d *daemon) release() {
	b := d.batch
	list := make([]*instance, 0, len(b.held))
	for in := range b.held {
		if in.conf == nil || d.stop != nil {
			d.unhold(in)
			continue
		}
		list = append(list, in)
	}
	slices.SortFunc(list, byPriority)
	lowest := b.lowest()
	for _, in := range list {
		why := d.heldBack(in, lowest)
		if why != in.heldBy {
			in.heldBy = why
			d.heldChanged(in)
		}
		if why != "" {
			continue
		}
		cause := b.held[in]
		delete(b.held, in)
		b.unsettled[in] = true
		d.order(in, "start", cause)
	}
}

// lowest is the lowest priority in the batch: whoever has it waits for no
// other's.
func (b *batch) lowest() int {
	lowest := math.MaxInt
	for in := range b.unsettled {
		if in.conf != nil {
			lowest = min(lowest, in.conf.Priority)
		}
	}
	for in := range b.held {
		lowest = min(lowest, in.conf.Priority)
	}
	return lowest
}

func byPriority(a, b *instance) int {
	if a.conf.Priority != b.conf.Priority {
		return a.conf.Priority - b.conf.Priority
	}
	return naturally(a.name, b.name)
}

// unhold takes an instance out of the batch: it was stopped or removed.
func (d *daemon) unhold(in *instance) {
	if d.batch != nil {
		delete(d.batch.held, in)
		delete(d.batch.unsettled, in)
	}
	in.heldBy = ""
}

// heldChanged tells those who wait for an instance why it waits.
func (d *daemon) heldChanged(in *instance) {
	for j := range in.jobs {
		j.look(in)
	}
}

// heldBack is what an instance waits for, "" when for nothing.
func (d *daemon) heldBack(in *instance, lowest int) string {
	for _, a := range in.conf.After {
		if why := d.unmet(a); why != "" {
			return "waiting for " + why
		}
	}
	if in.conf.Priority == lowest {
		return ""
	}
	for other := range d.batch.held {
		if d.goesBefore(other, in) && len(other.conf.After) == 0 {
			return "waiting for " + other.name + " (priority " + strconv.Itoa(other.conf.Priority) + ")"
		}
	}
	for other := range d.batch.unsettled {
		if other.conf != nil && d.goesBefore(other, in) {
			return "waiting for " + other.name + " (" + other.state() + ")"
		}
	}
	return ""
}

func (d *daemon) goesBefore(a, b *instance) bool {
	return a != b && a.conf != nil && a.conf.Priority < b.conf.Priority && !d.comesAfter(a.conf, b.program, nil)
}

// unmet names an instance of the program that is not as `after` wants it:
// "db:0 (BACKOFF)".
func (d *daemon) unmet(a config.After) string {
	p := d.programs[a.Program]
	if p == nil {
		return ""
	}
	for _, in := range p.instances {
		met := in.up()
		if a.Until == "exited" {
			met = in.state() == "EXITED" && in.status.Event.Get("expected") == "yes"
		}
		if !met || !in.heeded() {
			return in.name + " (" + in.state() + ")"
		}
	}
	return ""
}

// comesAfter reports whether an instance of c waits for program, by way of
// others too.
func (d *daemon) comesAfter(c *config.Instance, program string, seen map[string]bool) bool {
	for _, a := range c.After {
		if a.Program == program {
			return true
		}
		if seen[a.Program] {
			continue
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[a.Program] = true
		p := d.programs[a.Program]
		if p != nil && len(p.instances) > 0 && p.instances[0].conf != nil && d.comesAfter(p.instances[0].conf, program, seen) {
			return true
		}
	}
	return false
}

// naturally compares names so that web:2 comes before web:10.
func naturally(a, b string) int {
	for a != "" && b != "" {
		na, ra := leadingNumber(a)
		nb, rb := leadingNumber(b)
		if na != nb && ra != a && rb != b {
			return na - nb
		}
		if ra != a && rb != b {
			a, b = ra, rb
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func leadingNumber(text string) (int, string) {
	end := 0
	for end < len(text) && end < 9 && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(text[:end])
	return n, text[end:]
}
