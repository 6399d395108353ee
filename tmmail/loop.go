package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"taskmaster/lib/die"
)

// A loop drives a notifier: it waits for input, signals, the outcome of a
// delivery and the one deadline, and for nothing else.
type loop struct {
	n        *notifier
	in       *intake
	outcomes chan delivery
	held     bool // a chunk was taken in, but is not safe yet
}

// run works until the input ends or SIGTERM comes, and returns the exit code.
func run(s *settings, sp spool) int {
	in, err := newIntake(0)
	if err != nil {
		die.Fatal(die.Temporary, "unable to prepare standard input", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := &loop{in: in, outcomes: make(chan delivery, 1)}
	l.n = newNotifier(time.Now(), s, sp)
	l.n.send = func(letter *letter) {
		go func() {
			defer die.OnPanic()
			l.outcomes <- deliver(ctx, s, letter, func(string) {})
		}()
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGALRM, syscall.SIGTERM, syscall.SIGINT)
	// Heard and not heeded, rather than ignored: a sendmail inherits what is
	// ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
	go in.watch()
	return l.work(signals)
}

func (l *loop) work(signals <-chan os.Signal) int {
	timer := time.NewTimer(0)
	for {
		now := time.Now()
		l.n.wake(now)
		l.release()
		if l.n.done() {
			return l.farewell()
		}
		timer.Stop()
		if at := l.n.deadline(now); !at.IsZero() {
			timer.Reset(time.Until(at))
		}
		select {
		case <-l.in.ready:
			l.read()
		case d := <-l.outcomes:
			l.n.settle(time.Now(), d)
		case sig := <-signals:
			if sig != syscall.SIGALRM {
				l.drain()
				l.part()
				return l.farewell()
			}
			l.n.tryAll()
		case <-timer.C:
		}
	}
}

// read takes in a chunk. At the end of the input it is not asked for more.
func (l *loop) read() {
	piece, again, err := l.next()
	if err != nil {
		if err != io.EOF {
			die.Warn("unable to read standard input", err)
		}
		if l.n.lines.Partial() { // a last line without a newline is a line
			l.n.takeIn(time.Now(), []byte("\n"), false)
		}
		l.n.close()
		return
	}
	l.takeIn(piece, again)
	l.held = true
	l.release()
}

// next returns what there is to read, of a pipe up to the end of the last whole
// line: half of one, taken from the pipe and held in memory, would die with
// tmmail. Again says that it is the chunk over which an earlier tmmail died.
func (l *loop) next() (piece []byte, again bool, err error) {
	piece, err = l.in.peek()
	if err != nil || len(piece) == 0 || l.in.pipe == nil {
		return piece, false, err
	}
	length, again := marked(piece, l.n.unfinished)
	l.n.unfinished = ""
	if !again {
		length = bytes.LastIndexByte(piece, '\n') + 1
	}
	if length > 0 { // else it is taken as it is, or poll would never wait
		piece = piece[:length]
		l.in.peeked = length
	}
	return piece, again, nil
}

// takeIn hands a chunk to the notifier. One that comes again has its mark in
// the spool already: a death over the writing of it would lose it.
func (l *loop) takeIn(piece []byte, again bool) {
	if l.in.pipe != nil && !again {
		l.n.spool.beginTaking(markOf(piece))
	}
	l.n.takeIn(time.Now(), piece, again)
}

// taken removes from the pipe the chunk that is safe in the spool.
func (l *loop) taken() error {
	err := l.in.take()
	l.n.spool.endTaking()
	return err
}

// release takes the chunk from the pipe once it is safe, and asks for more.
// As long as the spool refuses, the pipe keeps what it has.
func (l *loop) release() {
	if !l.held || !l.n.safe() {
		return
	}
	l.held = false
	if err := l.taken(); err != nil {
		die.Warn("unable to read standard input", err)
	}
	l.in.again <- struct{}{}
}

// drain takes in what a pipe holds at the moment of SIGTERM, since its writer
// believes it delivered.
func (l *loop) drain() {
	for left := l.in.holds(); left > 0 && l.n.safe(); {
		piece, again, err := l.next()
		if err != nil || bytes.IndexByte(piece, '\n') < 0 {
			return // half a line stays for the next tmmail
		}
		left -= len(piece)
		l.takeIn(piece, again)
		if !l.n.safe() || l.taken() != nil {
			return
		}
	}
}

// parting is how long SIGTERM waits for the outcome of a delivery.
const parting = time.Second

// part lets a delivery that is under way come to its end: a mail that the
// server has just taken would otherwise be sent again.
func (l *loop) part() {
	if l.n.sending == nil {
		return
	}
	select {
	case d := <-l.outcomes:
		l.n.settle(time.Now(), d)
	case <-time.After(parting):
	}
}

// farewell says what stays behind and returns the exit code.
func (l *loop) farewell() int {
	if l.n.notEvents > 1 {
		die.Warn(fmt.Sprintf("%d lines were no events, skipped", l.n.notEvents), nil)
	}
	if l.n.lines.TooLong > 0 {
		die.Warn(fmt.Sprintf("%s longer than an event can be, skipped", plural(l.n.lines.TooLong, "line")), nil)
	}
	if !l.n.safe() {
		die.Warn("the spool could not be written: what is new is lost, unless the pipe outlives tmmail", nil)
		return die.Temporary
	}
	if !l.n.empty() {
		return die.Temporary
	}
	return die.OK
}
