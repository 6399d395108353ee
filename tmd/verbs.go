package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
	"taskmaster/lib/quantity"
	"taskmaster/lib/signame"
)

func doStatus(d *daemon, r *proto.Request) {
	var lines []string
	ok := withTargets(d, r, "", 0, func(_ proto.Options, list []*instance) {
		for _, in := range list {
			in = in.holder()
			d.hearStatus(in)
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
		e.Time = in.since
	}
	return e.String()
}

// emptyPrograms are those with numprocs 0 among the targets: one line each.
func (d *daemon) emptyPrograms(targets []string) []string {
	var lines []string
	named := naming(targets)
	for _, p := range d.listed {
		if p.conf != nil && p.conf.Numprocs == 0 && named(p.conf.Name) {
			e := event.New(p.since, p.conf.Name, "stopped", "pid", "0", "uptime", "0", "restarts", "0", "detail", "numprocs is 0")
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
			in = in.holder()
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
	if len(r.Args) > 1 {
		r.Err(proto.Bad, "pid: unexpected argument "+r.Args[1])
		return
	}
	if len(r.Args) == 0 {
		r.Answer("tmd " + itoa(os.Getpid()))
		r.OK("1")
		return
	}
	down := 0
	var lines []string
	ok := withTargets(d, r, "", 1, func(_ proto.Options, list []*instance) {
		for _, in := range list {
			pid := in.holder().status.PID
			if pid == 0 {
				down++
			}
			lines = append(lines, in.name+" "+itoa(pid))
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

// doShow puts into words one instance after the other, as the client reads:
// those of ten thousand take 100 MB.
func doShow(d *daemon, r *proto.Request) {
	var shown []*config.Instance // never changed, only replaced
	several := false
	if !withTargets(d, r, "", 1, func(_ proto.Options, list []*instance) {
		several = len(list) > 1
		for _, in := range list {
			if in.conf != nil {
				shown = append(shown, in.conf)
			}
		}
	}) {
		return
	}
	for _, conf := range shown {
		if several {
			r.Answer(line.Encode(conf.Name))
		}
		keys := conf.Keys
		if r.ReadOnly {
			keys = conf.PublicKeys()
		}
		for _, k := range keys {
			r.Answer(line.Encode(k.Name) + " " + line.Encode(k.Value) + " " + line.Encode(k.File) + " " + itoa(k.Line))
		}
	}
	r.OK("")
}

func doWatch(d *daemon, r *proto.Request) {
	_, kinds, ok := parse(r, "")
	if !ok {
		return
	}
	s := &subscriber{event: r.Event}
	if len(kinds) > 0 {
		s.kinds = map[string]bool{}
	}
	for _, kind := range kinds {
		if !slices.Contains(event.Kinds(), kind) {
			r.Err(proto.Bad, "watch: no such event: "+kind)
			return
		}
		s.kinds[kind] = true
	}
	d.ask(func() {
		r.Accept() // does not wait: a request is not begun without room for its first line
		d.audience[s] = true
	})
	<-r.Done()
	d.ask(func() { delete(d.audience, s) })
	r.OK("")
}

func doVersion(_ *daemon, r *proto.Request) {
	if _, ok := onlyOptions(r, ""); !ok {
		return
	}
	r.Answer("tmd " + line.Encode(version))
	r.OK("")
}

func doHelp(_ *daemon, r *proto.Request) {
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
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

func doRekey(d *daemon, r *proto.Request) {
	if _, ok := onlyOptions(r, ""); !ok {
		return
	}
	var err error
	d.ask(func() { err = d.rekey() })
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
