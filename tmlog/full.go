package main

import (
	"bytes"
	"strconv"
	"time"

	"taskmaster/lib/backoff"

	"golang.org/x/sys/unix"
)

const (
	// retryFirst and retryMax are the waits between tries to write again.
	// Nothing in Linux tells when a disk has room again.
	retryFirst = 100 * time.Millisecond
	retryMax   = 2 * time.Second
	// calm is how long writing must have gone well for the next failure to
	// be a new one, which is said again.
	calm = 10 * time.Second
	// roomToRecover is the free space in bytes at which dropping ends: enough
	// for a chunk of stamped lines.
	roomToRecover = 128 << 10
)

// A trouble is that the file cannot be written, for want of space or any other
// reason that may pass.
type trouble struct {
	active   bool // the last try to write failed
	reason   error
	tries    int
	retryAt  time.Time
	failedAt time.Time
	dropping bool  // lines are discarded until it is over
	lines    int64 // that were discarded
}

// fail does with a failure to write what the policy says.
func (l *logger) fail(err error) outcome {
	t := &l.trouble
	if !t.active && (t.failedAt.IsZero() || time.Since(t.failedAt) > calm) {
		t.tries = 0
		l.notices.full(err)
	}
	t.active, t.reason, t.failedAt = true, err, time.Now()
	if l.opt.onFull == prune && noSpace(err) && l.backups.dropOldest() {
		return moved
	}
	t.tries++
	t.retryAt = t.failedAt.Add(backoff.Delay(retryFirst, retryMax, t.tries))
	if l.opt.onFull != drop {
		return stuck
	}
	if !t.dropping {
		t.dropping = true
		l.out.cutToLine()
		l.lock.clear()
	}
	return moved
}

// retryAt is when to try to write again, zero for not by itself.
func (l *logger) retryAt() time.Time {
	if l.trouble.active && !(l.trouble.dropping && l.skipping) {
		return l.trouble.retryAt
	}
	return time.Time{}
}

// discard takes lines from the input without writing them, until one can be
// written that tells how many. That one stands between lines.
func (l *logger) discard() outcome {
	if !l.skipping && !time.Now().Before(l.trouble.retryAt) && l.resume() {
		return moved
	}
	data, err := l.in.look()
	if err != nil {
		return l.noInput(err)
	}
	l.trouble.lines += int64(bytes.Count(data, newline))
	l.skipping = data[len(data)-1] != '\n'
	l.take(len(data))
	return moved
}

// resume ends the dropping if there is room again.
func (l *logger) resume() bool {
	t := &l.trouble
	err := l.use()
	if err == nil && !l.hasRoom() {
		err = unix.ENOSPC
	}
	if err == nil && t.lines > 0 {
		err = l.out.write(l.droppedLine())
	}
	if err != nil {
		l.fail(err)
		return false
	}
	if t.lines > 0 {
		l.notices.dropped(t.lines)
	}
	t.dropping, t.lines = false, 0
	l.wrote()
	return true
}

// hasRoom keeps a disk with a few bytes free from being filled with lines that
// tell of dropping. On a small disk an eighth of it will do.
func (l *logger) hasRoom() bool {
	var fs unix.Statfs_t
	if unix.Fstatfs(l.out.fd, &fs) != nil || fs.Blocks == 0 {
		return true // a file system that does not tell
	}
	return fs.Bavail*uint64(fs.Bsize) >= min(roomToRecover, fs.Blocks*uint64(fs.Bsize)/8)
}

// droppedLine is what stands in the file where lines are missing.
func (l *logger) droppedLine() []byte {
	var text []byte
	if l.out.midLine {
		text = append(text, '\n')
	}
	text = l.opt.stamp.append(text, time.Now())
	text = append(text, l.opt.prefix...)
	text = append(text, "tmlog: "...)
	text = strconv.AppendInt(text, l.trouble.lines, 10)
	return append(text, " lines dropped\n"...)
}

// endDropping says at the end what is lost.
func (l *logger) endDropping() {
	if l.skipping {
		l.trouble.lines++
	}
	if !l.resume() && l.trouble.lines > 0 {
		l.notices.dropped(l.trouble.lines)
	}
}
