package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
	"taskmaster/lib/quantity"
	"taskmaster/lib/signame"
	"taskmaster/lib/statedir"
)

func doStatus(d *daemon, r *proto.Request) {
	var lines []string
	ok := withTargets(d, r, "", 0, func(_ proto.Options, list []*instance) {
		for _, in := range list {
			lines = append(lines, in.statusLine())
		}
		lines = append(lines, d.emptyPrograms(r.Args)...)
	})
	if !ok {
		return
	}
	answerAll(r, lines)
	r.OK(itoa(len(lines)))
}

// statusLine is the state in the form of an event.
func (in *instance) statusLine() string {
	e := event.New(in.status.Event.Time, in.name, strings.ToLower(in.state()),
		"pid", itoa(in.status.PID), "uptime", event.Seconds(in.uptime()), "restarts", itoa(in.status.Restarts),
		"detail", in.detail())
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	return e.String()
}

// emptyPrograms are those with numprocs 0 among the targets: one line each.
func (d *daemon) emptyPrograms(targets []string) []string {
	var lines []string
	for _, p := range d.listed {
		if p.conf != nil && p.conf.Numprocs == 0 && names(targets, p.conf.Name) {
			e := event.New(time.Now(), p.conf.Name, "stopped", "pid", "0", "uptime", "0", "restarts", "0", "detail", "numprocs is 0")
			lines = append(lines, e.String())
		}
	}
	return lines
}

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

func doStart(d *daemon, r *proto.Request) {
	d.runJob(r, started, func(list []*instance) map[*instance]string {
		return d.startByHand(list)
	})
}

func doStop(d *daemon, r *proto.Request) {
	d.runJob(r, ended, func(list []*instance) map[*instance]string {
		for _, in := range list {
			d.unhold(in)
		}
		d.stopInOrder(list, "stop", nil)
		return nil
	})
}

func doRestart(d *daemon, r *proto.Request) {
	d.runJob(r, started, func(list []*instance) map[*instance]string {
		var down []*instance
		for _, in := range list {
			if in.status.PID == 0 && in.state() != "STOPPING" {
				down = append(down, in)
			} else {
				d.order(in, "restart", "user")
			}
		}
		return d.startByHand(down)
	})
}

// runJob gives orders to the targets of a request and waits until they have
// come of it, unless -n says not to. refused are those that were given none.
func (d *daemon) runJob(r *proto.Request, reached func(*instance) (bool, bool, string), order func([]*instance) map[*instance]string) {
	var j *job
	var limit time.Duration
	bad := false
	ok := withTargets(d, r, "nt:", 1, func(o proto.Options, list []*instance) {
		var fine bool
		if limit, fine = waitLimit(r, o); !fine {
			bad = true
			return
		}
		refused := order(list)
		if o.Has('n') && len(refused) == 0 {
			return
		}
		j = d.newJob(r, list, reached)
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
	switch {
	case !ok || bad:
	case j == nil:
		r.OK("")
	default:
		j.wait()
	}
}

// startByHand starts instances and what they wait for. Those that wait for
// something that a user stopped are refused.
func (d *daemon) startByHand(list []*instance) (refused map[*instance]string) {
	refused = map[*instance]string{}
	chosen := map[*instance]bool{}
	for _, in := range list {
		chosen[in] = true
	}
	var all []*instance
	for _, in := range list {
		needed, stopped := d.needs(in, chosen, nil)
		if stopped != nil {
			refused[in] = "waits for " + stopped.name + ", which was stopped by hand: start that first"
			continue
		}
		all = append(all, needed...)
		all = append(all, in)
	}
	d.startInOrder(all, "user")
	return refused
}

// needs are the instances, not up yet, that in comes after; stopped is one
// among them that a user stopped and that is not chosen to be started too.
func (d *daemon) needs(in *instance, chosen map[*instance]bool, found []*instance) (all []*instance, stopped *instance) {
	if in.conf == nil {
		return found, nil
	}
	for _, a := range in.conf.After {
		if d.unmet(a) == "" || d.programs[a.Program] == nil {
			continue
		}
		for _, other := range d.programs[a.Program].instances {
			if other.up() || chosen[other] || contains(found, other) {
				continue
			}
			if other.status.Wish == statedir.WishDown {
				return nil, other
			}
			if found, stopped = d.needs(other, chosen, append(found, other)); stopped != nil {
				return nil, stopped
			}
		}
	}
	return found, nil
}

func contains(list []*instance, in *instance) bool {
	for _, other := range list {
		if other == in {
			return true
		}
	}
	return false
}

func doWait(d *daemon, r *proto.Request) {
	o, words, ok := parse(r, "t:")
	if !ok {
		return
	}
	if len(words) != 2 || !isState(words[1]) {
		r.Err(proto.Bad, "wait: TARGET STATE, one of "+strings.Join(states, " "))
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
			return in.heeded() && in.state() == want, true, ""
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

var states = []string{"stopped", "starting", "running", "backoff", "stopping", "exited", "fatal"}

func isState(word string) bool {
	for _, s := range states {
		if strings.EqualFold(s, word) {
			return true
		}
	}
	return false
}

func doSignal(d *daemon, r *proto.Request) {
	if len(r.Args) < 2 {
		r.Err(proto.Bad, "signal: SIG TARGET ...")
		return
	}
	sig, ok := signame.Parse(r.Args[0])
	if !ok {
		r.Err(proto.Bad, "signal: "+r.Args[0]+": no such signal")
		return
	}
	var lines []string
	failed := 0
	var err error
	d.ask(func() {
		var list []*instance
		if list, err = d.targets(r.Args[1:]); err != nil {
			return
		}
		for _, in := range list {
			if _, alive := in.programStat(); !alive {
				failed++
				lines = append(lines, in.name+" fail "+line.Encode("not running"))
				continue
			}
			in.tell("signal", itoa(int(sig)))
			lines = append(lines, in.name+" ok")
		}
	})
	answerAll(r, lines)
	switch {
	case err != nil:
		r.Err(proto.NoProg, err.Error())
	case failed > 0 && failed == len(lines):
		r.Err(proto.State, count(failed, "instance")+" not running")
	case failed > 0:
		r.Err(proto.Some, count(failed, "instance")+" not running")
	default:
		r.OK(itoa(len(lines)))
	}
}

// answerAll sends answers from the client's goroutine: they wait for a slow
// client, and the loop must not.
func answerAll(r *proto.Request, lines []string) {
	for _, text := range lines {
		r.Answer(text)
	}
}

func doPid(d *daemon, r *proto.Request) {
	if len(r.Args) == 0 {
		r.Answer("tmd " + itoa(os.Getpid()))
		r.OK("1")
		return
	}
	down := 0
	var lines []string
	ok := withTargets(d, r, "", 1, func(_ proto.Options, list []*instance) {
		for _, in := range list {
			if in.status.PID == 0 {
				down++
			}
			lines = append(lines, in.name+" "+itoa(in.status.PID))
		}
	})
	answerAll(r, lines)
	switch {
	case !ok:
	case down > 0:
		r.Err(proto.State, count(down, "instance")+" not running")
	default:
		r.OK("")
	}
}

func doShow(d *daemon, r *proto.Request) {
	var lines []string
	ok := withTargets(d, r, "", 1, func(_ proto.Options, list []*instance) {
		for _, in := range list {
			if in.conf == nil {
				continue
			}
			if len(list) > 1 {
				lines = append(lines, line.Encode(in.name))
			}
			keys := in.conf.Keys
			if r.ReadOnly {
				keys = in.conf.PublicKeys()
			}
			for _, k := range keys {
				lines = append(lines, line.Encode(k.Name)+" "+line.Encode(k.Value)+" "+line.Encode(k.File)+" "+itoa(k.Line))
			}
		}
	})
	answerAll(r, lines)
	if ok {
		r.OK("")
	}
}

func doWatch(d *daemon, r *proto.Request) {
	s := &subscriber{event: r.Event}
	if len(r.Args) > 0 {
		s.kinds = map[string]bool{}
		for _, kind := range r.Args {
			s.kinds[kind] = true
		}
	}
	r.Accept()
	d.ask(func() { d.audience[s] = true })
	<-r.Done()
	d.ask(func() { delete(d.audience, s) })
	r.OK("")
}

func doVersion(_ *daemon, r *proto.Request) {
	r.Answer("tmd " + line.Encode(version))
	r.OK("")
}

func doHelp(_ *daemon, r *proto.Request) {
	for _, name := range sortedKeys(verbs) {
		r.Answer(name)
	}
	r.OK("")
}

func doUsage(d *daemon, r *proto.Request) {
	var rows []usageRow
	if !withTargets(d, r, "", 0, func(_ proto.Options, list []*instance) { rows = rowsOf(list) }) {
		return
	}
	measure(rows)
	for _, row := range rows {
		r.Answer(line.Join(row.name, strings.ToLower(row.state), itoa(row.pid), event.Seconds(row.uptime),
			itoa(row.restarts), event.Seconds(row.cpu), strconv.FormatInt(row.bytes, 10)))
	}
	r.OK(itoa(len(rows)))
}

// doRekey makes a new secret. Clients that are in stay in.
func doRekey(d *daemon, r *proto.Request) {
	secret := proto.NewSecret()
	var err error
	d.ask(func() {
		if d.file.Settings.Auth == "none" {
			err = errNoAuth
			return
		}
		if err = statedir.Replace(d.secretPath(), []byte(secret+"\n")); err == nil {
			d.secret = secret
		}
	})
	switch err {
	case nil:
		r.OK("a new secret is in effect")
	case errNoAuth:
		r.Err(proto.State, err.Error())
	default:
		r.Err(proto.Temp, "unable to write the secret: "+err.Error())
	}
}

// doMail sends one test mail by a tmmail of its own and tells how it went.
func doMail(d *daemon, r *proto.Request) {
	if len(r.Args) != 1 || r.Args[0] != "test" {
		r.Err(proto.Bad, "mail: the only use is `mail test`")
		return
	}
	var argv []string
	d.ask(func() {
		if m := d.file.Settings.Mail; m != nil {
			argv = append(d.mailArgs(m), "-test")
		}
	})
	if argv == nil {
		r.Err(proto.State, "the configuration has no mail: map")
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	out, err := d.runOwn(ctx, argv)
	for _, text := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		r.Answer(line.Encode(text))
	}
	if err != nil {
		r.Err(proto.State, "the test mail was not sent")
		return
	}
	r.OK("")
}
