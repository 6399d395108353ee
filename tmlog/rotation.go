package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// rotateAgain is how long lines go on into a file that could not be rotated.
const rotateAgain = 10 * time.Second

// limit is the size that the file may have, 0 for no limit: while it cannot be
// rotated it grows.
func (l *logger) limit() int64 {
	if !l.rotatable.IsZero() && time.Now().Before(l.rotatable) {
		return 0
	}
	return l.opt.maxBytes
}

// tend begins a new file when it is time to. Never inside a line: then the
// file waits for its end.
func (l *logger) tend() {
	if !l.expires.IsZero() && !l.rotateDue && !time.Now().Before(l.expires) {
		l.rotateDue = true
		l.expires = time.Time{}
	}
	if l.out.fd < 0 || l.out.midLine {
		return
	}
	if l.reopenDue {
		l.reopenDue = false
		l.reopen()
	}
	if l.rotateDue && !time.Now().Before(l.rotatable) {
		l.rotateDue = l.out.size > 0
		if l.rotateDue {
			l.rotate()
		}
	}
}

// rotate makes the file FILE.1 and begins a new one. If the file is no longer
// what FILE names, somebody else rotated, and only the new one is missing.
// When it fails the lines go on into the file as it is.
func (l *logger) rotate() {
	if !l.out.named() {
		l.rotateDue = false
		l.reopen()
		return
	}
	err := l.backups.shift()
	if err == nil {
		crashPoint("rename")
		err = unix.Rename(l.opt.path, l.backups.name(1, false))
	}
	if err != nil {
		l.cannotRotate("unable to rotate "+l.opt.path, err)
		return
	}
	l.rotateDue = false
	crashPoint("create")
	if l.out.open() == nil {
		l.opened()
	} else {
		l.out.close() // never write to FILE.1; use tries again and says why
	}
	crashPoint("created")
	l.tidy()
}

// reopen goes over to the file that FILE names now. When it cannot be opened
// the lines go on into the one that is open.
func (l *logger) reopen() {
	if err := l.out.open(); err != nil {
		l.cannotRotate("unable to reopen "+l.opt.path, err)
		return
	}
	l.opened()
	if l.lock.renew(l.opt.path) != nil {
		l.out.close() // use tries again and says why
	}
}

// cannotRotate says so once until it can be done.
func (l *logger) cannotRotate(what string, why error) {
	if l.rotatable.IsZero() {
		l.notices.trouble(what, why)
	}
	l.rotatable = time.Now().Add(rotateAgain)
}

// use has the file ready to be written to.
func (l *logger) use() error {
	fresh, removed, err := l.out.use()
	if removed {
		l.notices.trouble(l.opt.path+" was removed: making it again", nil)
	}
	if err != nil || !fresh {
		return err
	}
	if err := l.lock.renew(l.opt.path); err != nil {
		l.out.close() // nothing is written without the lock
		return err
	}
	l.opened()
	return nil
}

// opened finds out how the file ends, and how long it has to live. Its age
// counts from its birth, so over restarts as well; that of an empty file from
// its first line.
func (l *logger) opened() {
	l.expires, l.rotatable = time.Time{}, time.Time{}
	if l.opt.maxAge > 0 && l.out.size > 0 {
		age := max(time.Since(l.out.born), 0)
		l.expires = time.Now().Add(l.opt.maxAge - age)
	}
	l.resumeLine()
}

// wrote is called after each success of writing.
func (l *logger) wrote() {
	l.trouble.active = false
	if l.opt.maxAge > 0 && l.expires.IsZero() && !l.rotateDue {
		l.expires = time.Now().Add(l.opt.maxAge)
	}
}

// tidy deletes rotated files that are too many and has the others compressed.
func (l *logger) tidy() {
	if err := l.backups.trim(l.opt.backups, l.opt.maxTotal); err != nil {
		l.notices.trouble("unable to delete old files of "+l.opt.path, err)
	}
	l.compressNext()
}

func (l *logger) compressNext() {
	if err := l.compress.next(); err != nil {
		l.notices.trouble(err.Error(), nil)
	}
}

// jobDone takes in what the compress command made.
func (l *logger) jobDone() {
	if l.compress.running == nil {
		return
	}
	if err := l.compress.finish(); err != nil {
		l.notices.trouble(err.Error(), nil)
	}
	if !l.compress.broken {
		l.tidy()
	}
}

// endCompress waits for the last files to be compressed at the end of the
// input. SIGTERM does not wait: the next tmlog compresses them.
func (l *logger) endCompress() {
	for l.compress.running != nil && !l.ending {
		l.wait(-1)
		l.hear()
	}
	l.compress.stop()
}

// noSpace tells a full disk from other errors.
func noSpace(err error) bool { return err == unix.ENOSPC || err == unix.EDQUOT }
