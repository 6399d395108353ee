package main

import (
	"time"

	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

func doStart(d *daemon, r *proto.Request) {
	if d.refusesStarts(r) {
		return
	}
	d.runJob(r, d.started, func(j *job, list []*instance) map[*instance]string {
		w := d.toStart(list, func(in *instance) bool { return !in.alive() })
		j.show(w.needed)
		d.startInOrder(append(w.needed, w.fine...), "user")
		return w.refused
	})
}

func doStop(d *daemon, r *proto.Request) {
	d.runJob(r, ended, func(_ *job, list []*instance) map[*instance]string {
		for _, in := range list {
			d.unhold(in)
		}
		d.stopInOrder(list, &descent{verb: "stop", cause: "user"})
		return nil
	})
}

func doRestart(d *daemon, r *proto.Request) {
	if d.refusesStarts(r) {
		return
	}
	d.runJob(r, d.started, func(j *job, list []*instance) map[*instance]string {
		w := d.toStart(list, func(*instance) bool { return true })
		j.show(w.needed)
		d.startInOrder(w.needed, "user")
		if len(w.needed) > 0 || d.haveOrder(w.fine) {
			d.restartInOrder(w.fine, "user", nil)
			return w.refused
		}
		var down []*instance
		for _, in := range w.fine {
			if in.status.PID == 0 && in.state() != statedir.Stopping {
				down = append(down, in)
			} else {
				d.order(in, "restart", "user")
			}
		}
		d.startInOrder(down, "user")
		return w.refused
	})
}

// refusesStarts answers a request that would start something while tmd is
// stopping everything.
func (d *daemon) refusesStarts(r *proto.Request) bool {
	stopping := get(d, func() bool { return d.stopping })
	if stopping {
		r.Err(proto.State, errStopping.Error())
	}
	return stopping
}

// runJob gives orders to the targets of a request and waits until they have
// come of it, unless -n says not to. order returns those that it gave none,
// and why.
func (d *daemon) runJob(r *proto.Request, reached func(*instance) (bool, bool, string), order func(*job, []*instance) map[*instance]string) {
	var j *job
	var limit time.Duration
	ok := true
	named := withTargets(d, r, "nt:", 1, func(o proto.Options, list []*instance) {
		if limit, ok = waitLimit(r, o); !ok {
			return
		}
		j = d.newJob(r, list, reached)
		j.silent = o.Has('n')
		refused := order(j, list)
		j.silent = o.Has('n') && len(refused) == 0
		for in, why := range refused {
			j.settle(in, false, why)
		}
		if o.Has('n') {
			for in := range j.open {
				j.settle(in, true, "told to")
			}
		}
		j.begin(limit)
	})
	if named && ok {
		j.wait()
	}
}

// A wanted is what is to be done for a start by hand.
type wanted struct {
	fine    []*instance
	needed  []*instance // not up, and what the fine ones come after
	refused map[*instance]string
}

// toStart finds what instances wait for, those that wait at all; an instance
// that waits for something that a user stopped is refused.
func (d *daemon) toStart(list []*instance, waits func(*instance) bool) wanted {
	w := wanted{refused: map[*instance]string{}}
	n := needs{d: d, chosen: map[*instance]bool{}, blocked: map[*instance]*instance{}, seen: map[*instance]bool{}}
	for _, in := range list {
		n.chosen[in] = true
	}
	for _, in := range list {
		if !waits(in) {
			w.fine = append(w.fine, in)
			continue
		}
		if stopped := n.blockedBy(in); stopped != nil {
			w.refused[in] = "waits for " + stopped.name + ", which was stopped by hand: start that first"
			continue
		}
		w.fine = append(w.fine, in)
		n.collect(in)
	}
	w.needed = n.all
	return w
}

// A needs is the search for what instances come after and what is not up.
type needs struct {
	d       *daemon
	chosen  map[*instance]bool      // these are started anyway
	blocked map[*instance]*instance // by which stopped one, nil for none
	seen    map[*instance]bool
	all     []*instance
}

// each calls a function with everything that in waits for by itself.
func (n *needs) each(in *instance, call func(*instance)) {
	if in.conf == nil {
		return
	}
	for _, a := range in.conf.After {
		if p := n.d.programs[a.Program]; p != nil {
			for _, other := range p.instances {
				if !other.meets(a) && !n.chosen[other] {
					call(other)
				}
			}
		}
	}
}

// blockedBy is an instance that a user stopped and that in waits for, by way
// of others too.
func (n *needs) blockedBy(in *instance) (by *instance) {
	if known, ok := n.blocked[in]; ok {
		return known
	}
	n.each(in, func(other *instance) {
		switch {
		case by != nil:
		case other.status.Wish == statedir.WishDown:
			by = other
		default:
			by = n.blockedBy(other)
		}
	})
	n.blocked[in] = by
	return by
}

func (n *needs) collect(in *instance) {
	n.each(in, func(other *instance) {
		if !n.seen[other] {
			n.seen[other] = true
			n.all = append(n.all, other)
			n.collect(other)
		}
	})
}

// waitsToRestart is the detail of an instance between being stopped and being
// started in order.
const waitsToRestart = "waiting to be restarted"

// restartInOrder stops instances in the reverse of the order in which they
// are started, then starts them in it; prepare runs before one is stopped.
// That they are wanted up stands with their helpers all the while.
func (d *daemon) restartInOrder(list []*instance, cause string, prepare func(*instance)) {
	for _, in := range list {
		d.unhold(in)
		in.heldBy = waitsToRestart
	}
	d.stopInOrder(list, &descent{verb: "await", cause: cause, prepare: prepare, done: func() {
		var again []*instance
		for _, in := range list {
			if in.heldBy == waitsToRestart && !in.gone { // else someone wants it otherwise since
				again = append(again, in)
			}
		}
		d.startInOrder(again, cause)
	}})
}
