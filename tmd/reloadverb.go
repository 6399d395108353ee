package main

import (
	"errors"

	"taskmaster/lib/proto"
)

func doReload(d *daemon, r *proto.Request) {
	o, ok := onlyOptions(r, "n")
	if !ok {
		return
	}
	if o.Has('n') {
		d.showPlan(r)
		return
	}
	var j *job
	mistakes, err := d.reload(r.Peer, func(text string) { r.Answer(text) }, func(starts, goes []*instance) {
		j = d.reloadJob(r, starts, goes)
	})
	if !refusedReload(r, mistakes, err) {
		j.wait()
	}
}

// reloadJob waits for what a reload has started and for what it removes.
func (d *daemon) reloadJob(r *proto.Request, starts, goes []*instance) *job {
	j := d.newJob(r, append(starts, goes...), func(in *instance) (bool, bool, string) {
		if in.removing {
			return false, false, ""
		}
		return d.started(in)
	})
	j.reload = true
	for _, in := range goes {
		in.removed = append([]func(){func() { j.settleRemoved(in) }}, in.removed...)
	}
	j.begin(0)
	return j
}

// settleRemoved is the end that a reload wanted for an instance.
func (j *job) settleRemoved(in *instance) {
	if j.open[in] {
		j.settle(in, true, "")
	}
}

func refusedReload(r *proto.Request, mistakes []string, err error) bool {
	answerAll(r, mistakes)
	switch {
	case len(mistakes) > 0:
		r.Err(proto.Bad, count(len(mistakes), "mistake")+", nothing was changed")
	case errors.Is(err, errState), errors.Is(err, errStopping):
		r.Err(proto.State, err.Error())
	case err != nil:
		r.Err(proto.Temp, err.Error())
	default:
		return false
	}
	return true
}

func (d *daemon) showPlan(r *proto.Request) {
	d.oneReload.Lock()
	plan, mistakes, err := d.prepare(r.Peer)
	if plan != nil {
		plan.drop()
	}
	d.oneReload.Unlock()
	if refusedReload(r, mistakes, err) {
		return
	}
	n := 0
	for _, s := range plan.steps {
		for _, text := range s.lines() {
			r.Answer(text)
			n++
		}
	}
	r.OK(itoa(n))
}
