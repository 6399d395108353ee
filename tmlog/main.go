// Tmlog writes the lines of its standard input to a file that it rotates.
//
// What sets it apart from multilog, s6-log and svlogd is the order of things:
// it never takes from the pipe what it has not written. Plain lines go from
// the pipe to the file by splice(2), which moves each byte exactly once
// whatever happens to the process. Lines that get a time, a prefix or are
// selected are looked at with tee(2), written, and only then taken. A pipe
// that somebody else keeps open, as tmd's programs do, thus loses nothing by
// the death of tmlog, and the next one goes on where it stopped.
//
// It is one loop without threads of its own work: logger.go decides what comes
// next, and waits in one place for input, a signal or one deadline. pipe.go
// and stream.go are the input, current.go the file, backups.go its former
// selves, full.go what is done when it cannot be written.
//
// The manual is tmlog(8).
package main

import (
	"errors"
	"os"

	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// eventsVariable names, in the environment, the FIFO that tmd reads events from.
const eventsVariable = "TM_EVENTS"

func main() {
	die.Name = "tmlog"
	defer die.OnPanic()
	moveStderr()
	opt, err := parseOptions(os.Args[1:])
	if err != nil {
		die.UsageError(err.Error(), synopsis)
	}
	mail, err := newMailbox()
	if err != nil {
		die.Fatal(die.Temporary, "unable to make an eventfd", err)
	}
	mail.listen()
	l, code, err := open(opt, 0, mail)
	if err != nil {
		die.Fatal(code, err.Error(), nil)
	}
	os.Exit(l.run())
}

// moveStderr makes messages go to a copy of descriptor 2: a broken pipe there
// must not end the log.
func moveStderr() {
	if fd, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 10); err == nil {
		die.Stderr = fd
	}
}

// open takes everything that the main loop needs; code goes with err.
func open(opt options, stdin int, mail *mailbox) (l *logger, code int, err error) {
	in, err := openSource(stdin)
	if err != nil {
		return nil, codeOf(err), errors.New("unable to use standard input: " + die.Reason(err))
	}
	l = newLogger(opt, in, mail)
	if err := takeRights(opt.path); err != nil {
		return nil, die.Temporary, errors.New("unable to take the rights of the owner of " + parent(opt.path) + ": " + die.Reason(err))
	}
	what, err := l.begin()
	switch {
	case err == errLocked:
		return nil, die.Temporary, errors.New("unable to lock " + opt.path + ": " + err.Error())
	case err != nil && !l.notices.toEvents():
		return nil, codeOf(err), errors.New("unable to open " + what + ": " + die.Reason(err))
	case err != nil: // tmd would start it again and again, and nobody be told
		return l, die.OK, nil
	}
	l.compress.discard()
	l.tidy()
	return l, die.OK, nil
}

// begin takes the lock and opens the file; what names the one that could not
// be. A full disk is none of its errors.
func (l *logger) begin() (what string, err error) {
	path := l.opt.path
	// Looked at before the lock, which would leave its file beside a device.
	if err := usable(path); err != nil {
		return path, err
	}
	held, err := takeLock(path)
	if err == unix.ENOENT {
		if err = l.out.dir.makeDir(parent(path)); err == nil {
			held, err = takeLock(path)
		}
	}
	if err != nil {
		return lockPath(path), err
	}
	l.lock = held
	if err := l.use(); err != nil && !noSpace(err) {
		return path, err
	}
	return "", nil
}

// codeOf tells an error that trying again will not mend from the others.
func codeOf(err error) int {
	switch err {
	case errNotRegular, unix.EBADF, unix.EISDIR, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ELOOP:
		return die.Usage
	}
	return die.Temporary
}
