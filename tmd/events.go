package main

import (
	"os"
	"slices"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/peek"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// eventCapacity is what the events FIFO is enlarged to, so that it holds the
// events of a long absence of tmd.
const eventCapacity = 1 << 20

// An eventPipe is the reading end of STATE/events.
//
// Nothing is taken from the FIFO before its lines are logged. So a tmd that is
// killed in between loses no event; the next one may tell some of them again.
type eventPipe struct {
	file     *os.File
	view     *peek.Pipe // of file
	splitter line.Splitter
	buf      []byte
	taking   bool // a batch is being dealt with
}

// batchMax is what a pipe of the default capacity can be given by one tee(2).
const batchMax = 1 << 16

// openEvents makes the FIFO before any helper needs it, and reads it for
// ever, what waited in it first.
func openEvents(d *daemon) *eventPipe {
	path := d.dir.Events()
	if err := statedir.MakeFIFO(path, 0o600); err != nil {
		die.Fatal(die.Temporary, "unable to make "+path, err)
	}
	fd, err := statedir.OpenFIFO(path, unix.O_NONBLOCK)
	if err != nil {
		die.Fatal(die.Temporary, "unable to open "+path, err)
	}
	unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, eventCapacity) // best effort: pipe(7) limits it
	view, err := peek.New(fd)
	if err != nil {
		die.Fatal(die.Temporary, "unable to make a pipe", err)
	}
	p := &eventPipe{
		file: os.NewFile(uintptr(fd), path), view: view, buf: make([]byte, batchMax), splitter: line.Splitter{Max: event.Max},
	}
	go p.read(d)
	return p
}

// read waits until something is in the FIFO and has the loop deal with it.
func (p *eventPipe) read(d *daemon) {
	raw, err := p.file.SyscallConn()
	if err != nil {
		die.Fatal(die.Bug, "unable to wait for events", err)
	}
	raw.Read(func(uintptr) bool {
		for more := true; more; {
			d.ask(func() { more = p.take(d) })
		}
		return false // wait for more
	})
}

// take deals with what is in the FIFO, at most a batch of it; false says that
// there was nothing.
func (p *eventPipe) take(d *daemon) bool {
	if p.taking {
		return false // what an event led to asks for the events before it
	}
	p.taking = true
	defer func() { p.taking = false }()
	n, err := p.view.Look(p.buf)
	if err != nil {
		return false
	}
	p.splitter.Push(p.buf[:n], d.hearLine)
	p.view.Take(n) // it fails only where somebody else took them
	return true
}

// drain deals with all that is in the FIFO now.
func (p *eventPipe) drain(d *daemon) {
	for p.take(d) {
	}
}

// hearLine takes one event line from the FIFO. An event only says that there
// is something to look at: what is believed is the status file.
func (d *daemon) hearLine(text []byte) {
	e, err := event.Parse(string(text))
	if err != nil {
		return // torn or forged
	}
	in := d.instances[e.Name]
	if in == nil {
		if e.Name == event.Daemon {
			d.publish(e, append(text[:len(text):len(text)], '\n'))
		}
		return
	}
	in = in.holder() // whose helper it is that speaks
	if status, ok := d.readStatus(in); ok {
		in.take(status)
	}
	d.happened(in, e, append(text[:len(text):len(text)], '\n'))
	d.statusChanged(in)
}

// tell makes an event of tmd's own.
func (d *daemon) tell(kind string, keyValues ...string) {
	e := event.New(time.Now(), event.Daemon, kind, keyValues...)
	d.publish(e, e.Append(nil))
}

// publish writes an event to the log and the notifier and shows it to those
// who watch.
func (d *daemon) publish(e event.Event, text []byte) {
	d.log.write(text)
	d.mail.write(text)
	d.show(e, string(text[:len(text)-1]))
}

// A subscriber is a client that follows the events.
type subscriber struct {
	kinds map[string]bool // nil for all
	event func(line string) bool
}

func (d *daemon) show(e event.Event, text string) {
	for s := range d.audience {
		if s.kinds == nil || s.kinds[e.Kind] {
			s.event(text)
		}
	}
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
