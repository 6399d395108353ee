package main

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
)

// A daemon stands in for tmd: it speaks the protocol through the real server
// and keeps a table of instances that need no processes.
type daemon struct {
	address string
	secret  string
	server  *proto.Server

	mu        sync.Mutex
	instances []*kept
	watchers  map[*proto.Request]bool
	output    []string      // what `tail` has
	slow      chan struct{} // `wait` and `start slow` hold on until it is closed

	asked    *sync.Cond // requests got longer
	requests []string
}

type kept struct {
	name, state, detail string
	pid                 int
	stops               bool // whether `stop` succeeds
}

// newDaemon starts a daemon that ends with the test.
func newDaemon(t *testing.T) *daemon {
	t.Helper()
	d, err := startDaemon()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.server.Close)
	return d
}

func startDaemon() (*daemon, error) { return startDaemonAt("127.0.0.1:0", proto.NewSecret()) }

func startDaemonAt(address, secret string) (*daemon, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	d := &daemon{
		address: l.Addr().String(), secret: secret,
		watchers: map[*proto.Request]bool{}, slow: make(chan struct{}),
		instances: []*kept{
			{name: "web:0", state: "running", pid: 4312, stops: true},
			{name: "web:2", state: "running", pid: 4314, stops: true},
			{name: "web:10", state: "stopped", stops: true},
			{name: "db:0", state: "fatal", detail: "cannot execute /x: no such file"},
			{name: "evil:0", state: "exited", detail: "\x1b[31mred\n\u202eback", stops: true},
			{name: "none", state: "stopped"},
		},
		output: []string{"first line", "", "with \x1b[31mcolour\tand tab", "=%= last"},
	}
	d.asked = sync.NewCond(&d.mu)
	d.server = &proto.Server{
		Auth:     func() string { return "secret" },
		Secret:   func() string { return d.secret },
		Readonly: func() string { return "" },
		Handle:   d.handle,
	}
	go d.server.Serve(l)
	return d, nil
}

func (d *daemon) handle(r *proto.Request) {
	d.mu.Lock()
	d.requests = append(d.requests, r.Line)
	d.mu.Unlock()
	d.asked.Broadcast()
	answers := map[string]func(*proto.Request, proto.Options, []string){
		"status": d.status, "start": d.start, "stop": d.stop, "restart": d.start,
		"tail": d.tail, "log": d.tail, "watch": d.watch, "wait": d.wait, "pid": d.pid,
		"usage": d.usage, "show": d.show, "reload": d.reload, "signal": d.signal,
	}
	answer := answers[r.Verb]
	if answer == nil {
		d.words(r)
		return
	}
	options, rest, err := proto.ParseOptions("fkn:t:", withoutFlagN(r))
	if err != nil {
		r.Err(proto.Bad, err.Error())
		return
	}
	answer(r, options, rest)
}

// withoutFlagN is for the commands whose -n takes no value.
func withoutFlagN(r *proto.Request) []string {
	if r.Verb == "tail" || r.Verb == "log" {
		return r.Args
	}
	args := slices.Clone(r.Args)
	if at := slices.Index(args, "-n"); at >= 0 {
		args = slices.Insert(args, at+1, "1")
	}
	return args
}

// awaitRequest waits until a request came.
func (d *daemon) awaitRequest(t *testing.T, line string) {
	t.Helper()
	overdue := false
	timer := time.AfterFunc(limit, func() {
		d.mu.Lock()
		overdue = true
		d.mu.Unlock()
		d.asked.Broadcast()
	})
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for !slices.Contains(d.requests, line) {
		if overdue {
			t.Fatalf("never asked %q, but %q", line, d.requests)
		}
		d.asked.Wait()
	}
}

// words answers what is one sentence.
func (d *daemon) words(r *proto.Request) {
	switch r.Verb {
	case "version":
		r.Answer("tmd 1.0")
		r.OK("")
	case "upgrade":
		r.Err(proto.Temp, "unable to execute tmd: text file busy")
	case "rekey":
		r.OK("new secret written")
	case "mail":
		r.OK("accepted by 127.0.0.1:25")
	case "shutdown":
		d.tell(r, "web:0", event.Stopped)
		r.OK("")
		go d.server.Close()
	default:
		r.Err(proto.Bug, "no answer for "+r.Verb)
	}
}

// match returns the instances of targets; it answers itself when a target has
// none.
func (d *daemon) match(r *proto.Request, targets []string) ([]*kept, bool) {
	var all []*kept
	for _, target := range targets {
		before := len(all)
		for _, i := range d.instances {
			program, _, _ := strings.Cut(i.name, ":")
			if globbed, _ := path.Match(target, i.name); globbed || target == program || target == "all" {
				all = append(all, i)
			}
		}
		if len(all) == before {
			r.Err(proto.NoProg, target+": no such instance")
			return nil, false
		}
	}
	return all, true
}

func (d *daemon) status(r *proto.Request, _ proto.Options, targets []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(targets) == 0 {
		targets = []string{"all"}
	}
	all, ok := d.match(r, targets)
	if !ok {
		return
	}
	for _, i := range all {
		uptime := "0"
		if i.pid != 0 {
			uptime = "3725.5"
		}
		e := event.New(time.Unix(1e9, 0), i.name, i.state, "pid", strconv.Itoa(i.pid),
			"uptime", uptime, "restarts", "0", "detail", i.detail)
		r.Answer(e.String())
	}
	r.OK(strconv.Itoa(len(all)))
}

// tell sends an event to r and to those who watch.
func (d *daemon) tell(r *proto.Request, name, kind string, pairs ...string) {
	e := event.New(time.Now(), name, kind, pairs...)
	text := e.String()
	r.Event(text)
	for w := range d.watchers {
		w.Event(text)
	}
}

func (d *daemon) start(r *proto.Request, options proto.Options, targets []string) {
	if slices.Contains(targets, "none") {
		d.hold(r)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all, ok := d.match(r, targets)
	if !ok {
		return
	}
	failures := 0
	for _, i := range all {
		switch {
		case i.state == "fatal":
			d.tell(r, i.name, event.Starting, "pid", "0", "try", "1", "cause", "user")
			d.tell(r, i.name, event.Backoff, "try", "2", "wait", "1", "reason", i.detail)
			d.tell(r, i.name, event.Fatal, "try", "4", "reason", i.detail)
			r.Answer(line.Join(i.name, "fail", i.detail))
			failures++
		case i.state == "running" && r.Verb == "start":
			r.Answer(line.Join(i.name, "ok", "already running"))
		default:
			i.state, i.pid = "running", 5000
			d.tell(r, i.name, event.Starting, "pid", "5000", "try", "1", "cause", "user")
			d.tell(r, i.name, event.Running, "pid", "5000")
			r.Answer(line.Join(i.name, "ok"))
		}
	}
	if failures > 0 {
		r.Err(proto.State, fmt.Sprintf("%d of %d failed", failures, len(all)))
		return
	}
	r.OK(strconv.Itoa(len(all)))
}

// hold waits, as a start of a slow program would.
func (d *daemon) hold(r *proto.Request) {
	select {
	case <-d.slow:
		r.OK("")
	case <-r.Done():
		r.Err(proto.State, "ended")
	}
}

func (d *daemon) stop(r *proto.Request, _ proto.Options, targets []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, ok := d.match(r, targets)
	if !ok {
		return
	}
	failed := false
	for _, i := range all {
		if !i.stops {
			r.Answer(i.name + " fail still not gone (state D)")
			failed = true
			continue
		}
		i.state, i.pid = "stopped", 0
		d.tell(r, i.name, event.Stopping, "signal", "TERM")
		d.tell(r, i.name, event.Stopped)
		r.Answer(line.Join(i.name, "ok"))
	}
	if failed {
		r.Err(proto.State, "not all stopped")
		return
	}
	r.OK("")
}

func (d *daemon) tail(r *proto.Request, options proto.Options, args []string) {
	if r.Verb == "tail" {
		d.mu.Lock()
		_, ok := d.match(r, args[:1])
		d.mu.Unlock()
		if !ok {
			return
		}
		if args[0] == "db:0" {
			r.Err(proto.State, "db:0: its stdout is discarded")
			return
		}
	}
	lines := d.output
	if n, err := strconv.Atoi(options['n']); err == nil {
		lines = lines[max(0, len(lines)-n):]
	}
	for _, text := range lines {
		r.Answer(line.Encode(text))
	}
	if options.Has('f') {
		<-r.Done()
	}
	r.OK("")
}

func (d *daemon) watch(r *proto.Request, _ proto.Options, kinds []string) {
	d.mu.Lock()
	d.watchers[r] = true
	r.Accept()
	r.Event("2026-11-22T15:12:00.000Z web:1 exited pid=4319 signal=SEGV core=yes expected=no uptime=18.375 left=0")
	d.mu.Unlock()
	<-r.Done()
	d.mu.Lock()
	delete(d.watchers, r)
	d.mu.Unlock()
	r.OK("")
}

func (d *daemon) wait(r *proto.Request, options proto.Options, args []string) {
	d.mu.Lock()
	all, ok := d.match(r, args[:1])
	reached := true
	for _, i := range all {
		reached = reached && i.state == args[1]
	}
	d.mu.Unlock()
	switch {
	case !ok:
	case reached:
		r.OK("")
	case options.Has('t'):
		r.Err(proto.State, "time over")
	default:
		d.hold(r)
	}
}

func (d *daemon) pid(r *proto.Request, _ proto.Options, targets []string) {
	if len(targets) == 0 {
		r.Answer("tmd 4000")
		r.OK("")
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all, ok := d.match(r, targets)
	if !ok {
		return
	}
	for _, i := range all {
		r.Answer(line.Join(i.name, strconv.Itoa(i.pid)))
	}
	r.OK("")
}

func (d *daemon) usage(r *proto.Request, _ proto.Options, _ []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range d.instances {
		uptime, cpu, bytes := "0", "0", "0"
		if i.pid != 0 {
			uptime, cpu, bytes = "3725.5", fmt.Sprint(time.Since(time.Unix(1e9, 0)).Seconds()/4), "12582912"
		}
		r.Answer(line.Join(i.name, i.state, strconv.Itoa(i.pid), uptime, "0", cpu, bytes))
	}
	r.OK("")
}

func (d *daemon) show(r *proto.Request, _ proto.Options, targets []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, ok := d.match(r, targets)
	if !ok {
		return
	}
	for _, i := range all {
		if len(all) > 1 {
			r.Answer(line.Join(i.name))
		}
		r.Answer(line.Join("cmd", "./web --port 80", "taskmaster.yaml", "12"))
		r.Answer(line.Join("stoptime", "10s", "", "0"))
		r.Answer(line.Join("description", "", "", "0"))
	}
	r.OK("")
}

func (d *daemon) reload(r *proto.Request, options proto.Options, _ []string) {
	if options.Has('n') {
		r.Answer("+ web:3")
		r.Answer("- old:0")
		r.Answer("~ db:0 restart (cmd, env)")
		r.Answer(". web:0 stoptime 10s -> 5s")
		r.OK("")
		return
	}
	r.Answer("taskmaster.yaml:3:5: unknown key \"autorestrt\", did you mean \"autorestart\"?")
	r.Err(proto.Bad, "1 mistake in taskmaster.yaml, nothing is changed")
}

func (d *daemon) signal(r *proto.Request, _ proto.Options, args []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, ok := d.match(r, args[1:])
	if !ok {
		return
	}
	for _, i := range all {
		outcome := "ok"
		if i.pid == 0 {
			outcome = "fail not running"
		}
		r.Answer(i.name + " " + outcome)
	}
	r.OK("")
}
