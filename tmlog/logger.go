package main

import (
	"bytes"
	"io"
	"os"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/peek"

	"golang.org/x/sys/unix"
)

// A logger moves lines from its input to its file. All of it belongs to the
// goroutine of run.
type logger struct {
	opt      options
	in       source
	mail     *mailbox
	lock     *lock
	out      *current
	backups  backups
	compress compressor
	notices  *notices
	composer composer
	seen     arrival
	trouble  trouble

	splicing  bool // plain lines out of a pipe
	skipping  bool // the input stands inside a line that is not wanted
	needMore  bool // the line at the head of the input cannot be judged yet
	rotateDue bool
	reopenDue bool
	expires   time.Time // when the file is as old as it may get; zero for never
	rotatable time.Time // until then a rotation that failed is not tried again
	ending    bool
	left      int // while ending: bytes of the input still to be moved
}

func newLogger(opt options, in source, mail *mailbox) *logger {
	_, isPipe := in.(*pipe)
	files := backups{opt.path}
	return &logger{
		opt:      opt,
		in:       in,
		mail:     mail,
		lock:     &lock{path: lockPath(opt.path), fd: -1},
		out:      newCurrent(opt.path),
		backups:  files,
		compress: compressor{files: files, command: opt.compress, mail: mail},
		notices:  openNotices(os.Getenv(eventsVariable), opt.path, opt.onFull),
		composer: composer{stamp: opt.stamp, prefix: opt.prefix, selects: opt.selects},
		splicing: isPipe && opt.plain(),
	}
}

// An outcome is how one round of moving lines ended.
type outcome int

const (
	moved    outcome = iota // go on at once
	waiting                 // there is no input
	stuck                   // the file cannot be written
	finished                // the input is at its end
)

// run is the main loop. It returns the exit code.
func (l *logger) run() int {
	for {
		l.hear()
		l.tend()
		l.notices.flush()
		switch l.move() {
		case waiting:
			if l.ending {
				return l.end()
			}
			l.wait(l.in.wakeup(l.needMore))
		case stuck:
			if l.ending {
				return l.giveUp()
			}
			l.wait(-1)
		case finished:
			return l.end()
		}
	}
}

// hear notes what signals asked for.
func (l *logger) hear() {
	raised := l.mail.hear()
	if raised&endAsked != 0 && !l.ending {
		l.ending = true
		l.left = l.in.backlog()
	}
	l.rotateDue = l.rotateDue || raised&rotateAsked != 0
	l.reopenDue = l.reopenDue || raised&reopenAsked != 0
	if raised&jobEnded != 0 {
		l.jobDone()
	}
}

// move does one round of moving lines, at most a pipe full.
func (l *logger) move() outcome {
	l.needMore = false
	if l.ending && l.left <= 0 {
		return finished
	}
	if l.trouble.dropping {
		return l.discard()
	}
	if err := l.use(); err != nil {
		return l.fail(err)
	}
	switch {
	case l.skipping:
		return l.skipLine()
	case l.splicing:
		return l.splice()
	}
	return l.copyLines()
}

// splice moves plain lines from the pipe to the file. Where the file is not
// near its limit it needs not look at them.
func (l *logger) splice() outcome {
	count := bigPipe
	if limit := l.limit(); limit > 0 {
		free := limit - chunk - l.out.size
		if free <= 0 {
			return l.spliceLines(limit)
		}
		count = int(min(int64(count), free))
	}
	return l.spliceBytes(count)
}

// spliceLines moves the lines that still fit into the file, or begins a new
// one for them.
func (l *logger) spliceLines(limit int64) outcome {
	data, err := l.in.look()
	if err != nil {
		return l.noInput(err)
	}
	count := fitting(data, l.out.size, l.out.midLine, limit)
	if count == 0 {
		l.rotate()
		return moved
	}
	return l.spliceBytes(count)
}

func (l *logger) spliceBytes(count int) outcome {
	n, err := l.in.(*pipe).spliceTo(l.out.fd, l.out.size, count)
	switch err {
	case nil:
		l.out.grown(n)
		l.left -= n
		l.wrote()
		return moved
	case peek.ErrEmpty, io.EOF:
		return l.noInput(err)
	case unix.EINVAL: // this file system has no splice(2)
		l.splicing = false
		return moved
	}
	return l.fail(err)
}

// copyLines writes a chunk of lines, with what the options make of them, and
// then takes it from the input. A SIGKILL between the two makes it appear
// twice.
func (l *logger) copyLines() outcome {
	data, err := l.in.look()
	if err != nil {
		return l.noInput(err)
	}
	l.seen.look(len(data), time.Now())
	l.composer.maxBytes = l.limit()
	b := l.composer.compose(data, l.out, l.complete, &l.seen)
	if len(b.text) > 0 {
		if err := l.out.write(b.text); err != nil {
			return l.fail(err)
		}
		l.wrote()
	}
	if b.used > 0 {
		l.takeBatch(b)
		return moved
	}
	if b.next == newFile {
		l.rotate()
		return moved
	}
	l.needMore = true
	return waiting
}

// takeBatch takes from the input what is in the file or dropped.
func (l *logger) takeBatch(b batch) {
	l.skipping = b.ending == dropped
	if b.ending == wholeLine {
		l.take(b.used)
		return
	}
	n := note{ending: b.ending, inode: l.out.inode, size: l.out.size, taking: b.used}
	l.lock.write(n)
	kept := 0
	if p, ok := l.in.(*pipe); ok {
		kept, _ = p.spliceTo(l.lock.fd, noteWidth, b.used)
	}
	l.taken(kept)
	l.take(b.used - kept)
	l.lock.done(n)
}

// note keeps where the input stands.
func (l *logger) note(e ending) {
	l.lock.done(note{ending: e, inode: l.out.inode, size: l.out.size})
}

// complete says that the input will not add to what it showed.
func (l *logger) complete() bool { return l.ending || l.in.complete() }

// skipLine takes the rest of a line of which the beginning was not wanted.
func (l *logger) skipLine() outcome {
	data, err := l.in.look()
	if err != nil {
		return l.noInput(err)
	}
	if end := bytes.IndexByte(data, '\n') + 1; end > 0 {
		// First the note, then the line: the other way round a SIGKILL in
		// between would make the next tmlog skip a line too many.
		l.lock.clear()
		data = data[:end]
		l.skipping = false
	}
	l.take(len(data))
	return moved
}

// take removes what was written, or is not wanted, from the input.
func (l *logger) take(n int) {
	if err := l.in.take(n); err != nil {
		die.Fatal(die.Temporary, "unable to read standard input", err)
	}
	l.taken(n)
}

func (l *logger) taken(n int) {
	l.seen.take(n)
	l.left -= n
}

func (l *logger) noInput(err error) outcome {
	switch err {
	case peek.ErrEmpty:
		return waiting
	case io.EOF:
		return finished
	}
	die.Fatal(die.Temporary, "unable to read standard input", err)
	return finished
}

// wait returns when there is input, a signal, or the next deadline is over.
func (l *logger) wait(input int) {
	set := [2]unix.PollFd{
		{Fd: int32(l.mail.fd), Events: unix.POLLIN},
		{Fd: int32(input), Events: unix.POLLIN}, // -1 is passed over: poll(2)
	}
	unix.Poll(set[:], l.timeout())
}

// timeout is the time to the next deadline in milliseconds, -1 without one.
func (l *logger) timeout() int {
	until := l.expires
	if retry := l.retryAt(); !retry.IsZero() && (until.IsZero() || retry.Before(until)) {
		until = retry
	}
	if until.IsZero() {
		return -1
	}
	const day = 24 * time.Hour // poll's number has 32 bits
	left := min(max(time.Until(until), 0), day)
	return int((left + time.Millisecond - 1) / time.Millisecond)
}

// end is reached when everything that was to be moved is, and returns 0.
func (l *logger) end() int {
	if l.trouble.dropping {
		l.endDropping()
	}
	switch {
	case l.skipping && l.ending:
		l.note(dropped)
	case l.out.midLine && l.ending:
		l.note(written)
	default:
		l.lock.clear() // this input is over
	}
	l.endCompress()
	l.notices.flush()
	return die.OK
}

// giveUp ends on SIGTERM while the file cannot be written. A pipe keeps what
// is in it.
func (l *logger) giveUp() int {
	if l.out.midLine {
		l.note(written)
	}
	l.compress.stop()
	l.notices.flush()
	die.Warn("ending with lines unwritten in the pipe of "+l.opt.path, l.trouble.reason)
	return die.Temporary
}
