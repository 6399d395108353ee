package main

import (
	"bytes"
	"errors"
	"time"

	"taskmaster/lib/safepath"

	"golang.org/x/sys/unix"
)

// errNotRegular says that FILE is a directory, device, socket or FIFO.
var errNotRegular = errors.New("not a regular file")

// usable refuses a path at which there is something else than a file. What
// cannot be told yet is told by opening it.
func usable(path string) error {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return nil
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return unix.EISDIR
	}
	return errNotRegular
}

// A current is the file that lines are written to now.
//
// It is not open with O_APPEND, which splice(2) refuses. The end of the file
// is asked for before each chunk instead, so a file that somebody truncated
// goes on at its new end, but what such a copytruncate copies and cuts off is
// not safe: SIGALRM and SIGHUP are the ways to rotate from outside.
type current struct {
	path    string
	fd      int // -1 while there is none
	inode   uint64
	size    int64
	midLine bool // its last byte is not a newline
	born    time.Time
	file    ownership // what a successor gets as well
	dir     directory
}

// newCurrent names the file; use opens it.
func newCurrent(path string) *current {
	return &current{path: path, fd: -1, dir: directory{held: -1}}
}

// use makes the file ready to be written to: opens it, makes it when it is
// missing, its directories too, and finds its end. fresh says that it was not
// open before, removed that it was and somebody deleted it.
func (c *current) use() (fresh, removed bool, err error) {
	if c.fd >= 0 {
		removed, err = c.findEnd()
		if !removed || err != nil {
			return false, removed, err
		}
		c.close()
	}
	return true, removed, c.open()
}

// findEnd asks for the size, since others may cut or append to the file, and
// for the mode and owner, since they may change those too.
func (c *current) findEnd() (removed bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(c.fd, &st); err != nil {
		return false, err
	}
	c.file.remember(&st)
	if st.Size != c.size {
		c.size = st.Size
		c.readLast()
	}
	return st.Nlink == 0, nil
}

// readLast finds out whether the file ends inside a line.
func (c *current) readLast() {
	var last [1]byte
	c.midLine = false
	if c.size > 0 {
		n, err := unix.Pread(c.fd, last[:], c.size-1)
		c.midLine = n == 1 && err == nil && last[0] != '\n'
	}
}

func (c *current) open() error {
	fd, made, err := openFile(c.path)
	if err == unix.ENOENT {
		if err := c.dir.makeDir(parent(c.path)); err != nil {
			return err
		}
		fd, made, err = openFile(c.path)
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return errNotRegular
	}
	if made {
		c.file.apply(fd)
	} else {
		c.file.remember(&st)
	}
	c.close()
	c.fd, c.inode, c.size = fd, st.Ino, st.Size
	c.born = birth(fd, &st)
	c.readLast()
	c.dir.hold(parent(c.path))
	return nil
}

// openFile opens a log file, or makes it with mode 0644 & ~umask; in a
// directory where others may put things, nothing that they did.
func openFile(path string) (fd int, made bool, err error) {
	const flags = unix.O_RDWR | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err = safepath.Open(path, flags, 0)
	if err != unix.ENOENT {
		return fd, false, err
	}
	fd, err = safepath.Open(path, flags|unix.O_CREAT|unix.O_EXCL, 0o644)
	if err != unix.EEXIST {
		return fd, true, err
	}
	// Somebody else just made it, or it is a link to a file yet to be made.
	fd, err = safepath.Open(path, flags|unix.O_CREAT, 0o644)
	return fd, false, err
}

// birth is when the file was made, statx(2), or last changed on a file system
// that does not know.
func birth(fd int, st *unix.Stat_t) time.Time {
	var stx unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &stx)
	if err == nil && stx.Mask&unix.STATX_BTIME != 0 {
		return time.Unix(stx.Btime.Sec, int64(stx.Btime.Nsec))
	}
	return time.Unix(st.Mtim.Unix())
}

// write appends text, all of it or nothing: what a full disk cut off is taken
// back, so that the file never shows a part of what the input still holds.
func (c *current) write(text []byte) error {
	for done := 0; done < len(text); {
		n, err := unix.Pwrite(c.fd, text[done:], c.size+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err == nil && n == 0 {
			err = unix.ENOSPC
		}
		if err != nil {
			if done > 0 {
				unix.Ftruncate(c.fd, c.size)
			}
			return err
		}
		done += n
	}
	c.size += int64(len(text))
	c.midLine = text[len(text)-1] != '\n'
	return nil
}

// grown counts in what was spliced to the end.
func (c *current) grown(n int) {
	c.size += int64(n)
	c.readLast()
}

// cutToLine takes the beginning of an unfinished last line out of the file
// again, when the rest of it is going to be dropped. A beginning of more than
// a chunk stays.
func (c *current) cutToLine() {
	if !c.midLine {
		return
	}
	start := max(0, c.size-chunk)
	tail, ok := c.tail(start)
	if !ok {
		return
	}
	if end := bytes.LastIndexByte(tail, '\n') + 1; end > 0 || start == 0 {
		c.cut(start + int64(end))
	}
}

// tail reads the file from an offset to its end, at most maxText bytes.
func (c *current) tail(from int64) ([]byte, bool) {
	if from < 0 || from > c.size || c.size-from > maxText {
		return nil, false
	}
	buf := make([]byte, c.size-from)
	n, err := unix.Pread(c.fd, buf, from)
	return buf, err == nil && n == len(buf)
}

// cut shortens the file to whole lines.
func (c *current) cut(size int64) {
	if unix.Ftruncate(c.fd, size) == nil {
		c.size, c.midLine = size, false
	}
}

// named says whether the path still names this file: logrotate may have moved
// it away.
func (c *current) named() bool {
	var named, held unix.Stat_t
	return c.fd >= 0 && unix.Stat(c.path, &named) == nil && unix.Fstat(c.fd, &held) == nil &&
		named.Ino == held.Ino && named.Dev == held.Dev
}

func (c *current) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
}
