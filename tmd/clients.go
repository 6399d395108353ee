package main

import (
	"errors"
	"net"
	"os"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

// listen binds the address of the configuration, or exits.
func (d *daemon) listen() {
	d.openAccess()
	l, err := d.bind(d.file.Settings.Listen)
	if err != nil {
		die.Fatal(die.Temporary, "unable to listen on "+d.file.Settings.Listen, err)
	}
	d.listener = l
	d.announceAddress()
	d.clients = &proto.Server{
		Auth:     func() string { return d.access.Load().auth },
		Secret:   func() string { return d.access.Load().secret },
		Readonly: func() string { return d.access.Load().readonly },
		Handle:   d.handle,
		Denied:   func(peer, reason string) { d.do(func() { d.tell("denied", "peer", peer, "reason", reason) }) },
	}
	d.warnIfOpen()
}

// warnIfOpen says what auth: none means.
func (d *daemon) warnIfOpen() {
	if d.file.Settings.Auth == "none" {
		die.Warn("auth is none: every user of this machine may control what tmd runs", nil)
	}
}

// bind listens on an address. A port 0 is first tried as the one that the tmd
// before this one had, so that those who know it find us again.
func (d *daemon) bind(address string) (net.Listener, error) {
	if l := takeOver(address); l != nil {
		return l, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil && port == "0" {
		if before, err := os.ReadFile(d.dir.Address()); err == nil {
			if was, last, err := net.SplitHostPort(strings.TrimSpace(string(before))); err == nil && was == host {
				if l, err := net.Listen("tcp", net.JoinHostPort(host, last)); err == nil {
					return l, nil
				}
			}
		}
	}
	return net.Listen("tcp", address)
}

// get reads a value that belongs to the loop.
func get[T any](d *daemon, read func() T) (value T) {
	d.ask(func() { value = read() })
	return value
}

func (d *daemon) announceAddress() {
	if err := statedir.Replace(d.dir.Address(), []byte(d.listener.Addr().String()+"\n")); err != nil {
		die.Warn("unable to write "+d.dir.Address(), err)
	}
}

func (d *daemon) serve(l net.Listener) {
	defer die.OnPanic()
	if err := d.clients.Serve(l); err != nil {
		die.Warn("unable to accept clients", err)
	}
}

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

// maxPatterns and maxPatternBytes, of all patterns together, bound what one
// request costs, since each pattern is held against every instance. A line has
// room for 16,000 times `all`, or for a [...] of 65,000 characters, which would
// hold up the loop for minutes.
const (
	maxPatterns     = 32
	maxPatternBytes = 256
)

// checkPatterns refuses a request that would cost too much.
func checkPatterns(words []string) error {
	patterns, size := 0, 0
	for _, word := range words {
		if word == "all" || isGlob(word) {
			patterns++
			size += len(word)
		}
	}
	switch {
	case patterns > maxPatterns:
		return errors.New("more than " + itoa(maxPatterns) + " patterns in one request")
	case size > maxPatternBytes:
		return errors.New("more than " + itoa(maxPatternBytes) + " bytes of patterns in one request")
	}
	return nil
}

// targets are the instances that words name; all is none at all. Every word
// must name one, or nothing is done.
func (d *daemon) targets(words []string) ([]*instance, error) {
	if len(words) == 0 {
		words = []string{"all"}
	}
	if err := checkPatterns(words); err != nil {
		return nil, err
	}
	var found []*instance
	taken := map[*instance]bool{}
	seen := map[string]bool{} // a program may be named thousands of times as well
	for _, word := range words {
		if seen[word] {
			continue
		}
		seen[word] = true
		list, err := d.target(word)
		if err != nil {
			return nil, err
		}
		for _, in := range list {
			if !taken[in] {
				taken[in] = true
				found = append(found, in)
			}
		}
	}
	return found, nil
}

// target is an instance, a program, a glob over either, or all.
func (d *daemon) target(word string) ([]*instance, error) {
	if word == "all" {
		return d.sorted(func(*instance) bool { return true }), nil
	}
	if in := d.instance(word); in != nil {
		return []*instance{in}, nil
	}
	if p := d.programs[word]; p != nil {
		return p.instances, nil
	}
	if isGlob(word) {
		list := d.sorted(func(in *instance) bool { return globs(word, in.name) || globs(word, in.program) })
		if len(list) > 0 || d.matchesProgram(word) {
			return list, nil
		}
		return nil, errors.New(word + ": matches no instance")
	}
	if strings.Contains(word, ":") {
		return nil, errors.New(word + ": no such instance")
	}
	return nil, errors.New(word + ": no such program" + d.nearestName(word))
}
