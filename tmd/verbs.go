package main

import (
	"maps"
	"os"
	"slices"
	"strings"

	"taskmaster/lib/config"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
	"taskmaster/lib/signame"
)

// A verb is one kind of request.
type verb struct {
	do     func(d *daemon, r *proto.Request) // on the client's goroutine
	logged bool                              // that it was asked, and by whom, is an event of its own
}

// verbs is filled in by init, since help among them names them all.
var verbs map[string]verb

func init() {
	const logged = true
	verbs = map[string]verb{
		"status": {do: doStatus}, "wait": {do: doWait}, "pid": {do: doPid}, "show": {do: doShow},
		"usage": {do: doUsage}, "tail": {do: doTail}, "log": {do: doLog}, "watch": {do: doWatch},
		"version": {do: doVersion}, "help": {do: doHelp},
		"reload": {do: doReload}, // whose event says what came of it
		"start":  {doStart, logged}, "stop": {doStop, logged}, "restart": {doRestart, logged},
		"signal": {doSignal, logged}, "shutdown": {doShutdown, logged}, "upgrade": {doUpgrade, logged},
		"rekey": {doRekey, logged}, "mail": {doMail, logged},
	}
}

// handle answers one request. A panic of it is proto's, which ends this request
// and not tmd.
func (d *daemon) handle(r *proto.Request) {
	v, known := verbs[r.Verb]
	if !known {
		r.Err(proto.Bad, "unknown request "+line.Encode(r.Verb))
		return
	}
	if v.logged {
		d.do(func() { d.tell("command", "by", r.Peer, "line", r.Line) })
	}
	v.do(d, r)
}

// parse takes the options of a request, or refuses it.
func parse(r *proto.Request, spec string) (o proto.Options, rest []string, ok bool) {
	o, rest, err := proto.ParseOptions(spec, r.Args)
	if err != nil {
		r.Err(proto.Bad, r.Verb+": "+err.Error())
		return nil, nil, false
	}
	return o, rest, true
}

// onlyOptions is parse for a request that has no further words.
func onlyOptions(r *proto.Request, spec string) (o proto.Options, ok bool) {
	o, rest, ok := parse(r, spec)
	if ok && len(rest) > 0 {
		r.Err(proto.Bad, r.Verb+": unexpected argument "+rest[0])
		return nil, false
	}
	return o, ok
}

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
