package main

import (
	"strings"
	"time"

	"taskmaster/lib/proto"
	"taskmaster/lib/quantity"
	"taskmaster/lib/statedir"
)

// waitLimit reads -t SECS.
func waitLimit(r *proto.Request, o proto.Options) (time.Duration, bool) {
	if !o.Has('t') {
		return 0, true
	}
	limit, err := quantity.Duration(o['t'])
	if err != nil {
		r.Err(proto.Bad, r.Verb+": -t "+o['t']+": "+err.Error())
		return 0, false
	}
	return max(limit, time.Nanosecond), true
}

func doWait(d *daemon, r *proto.Request) {
	o, words, ok := parse(r, "t:")
	if !ok {
		return
	}
	if len(words) != 2 || !statedir.IsState(words[1]) {
		r.Err(proto.Bad, "wait: TARGET STATE, one of "+strings.Join(statedir.States[:], " "))
		return
	}
	limit, ok := waitLimit(r, o)
	if !ok {
		return
	}
	want := strings.ToUpper(words[1])
	var j *job
	var err error
	d.ask(func() {
		var list []*instance
		if list, err = d.targets(words[:1]); err != nil {
			return
		}
		j = d.newJob(r, list, func(in *instance) (bool, bool, string) {
			return in.before == nil && in.heeded() && in.state() == want, true, ""
		})
		j.silent = true
		j.begin(limit)
	})
	if err != nil {
		r.Err(proto.NoProg, err.Error())
		return
	}
	j.wait()
}
