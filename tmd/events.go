package main

import (
	"os"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// eventCapacity is what the events FIFO is enlarged to, so that it holds the
// events of a long absence of tmd.
const eventCapacity = 1 << 20

// An eventPipe is the reading end of STATE/events.
type eventPipe struct {
	file     *os.File
	splitter line.Splitter
	ended    chan struct{}
}

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
	p := &eventPipe{file: os.NewFile(uintptr(fd), path), ended: make(chan struct{}), splitter: line.Splitter{Max: event.Max}}
	go p.read(d)
	return p
}

func (p *eventPipe) read(d *daemon) {
	defer close(p.ended)
	buf := make([]byte, 1<<16)
	for {
		n, err := p.file.Read(buf)
		if err != nil {
			return // closed: tmd is about to end
		}
		d.ask(func() { p.splitter.Push(buf[:n], d.hearLine) })
	}
}

// drain takes what is in the FIFO now; the loop calls it before it ends.
func (p *eventPipe) drain(d *daemon) {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		buf := make([]byte, 1<<16)
		for {
			n, err := unix.Read(int(fd), buf)
			if err == unix.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			p.splitter.Push(buf[:n], d.hearLine)
		}
	})
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
	if status, err := in.run.ReadStatus(); err == nil && status.Boot == d.boot {
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
