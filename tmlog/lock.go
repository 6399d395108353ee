package main

import (
	"bytes"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// A lock keeps a second tmlog away from a log file. It is a file of its own,
// .FILE.lock, because FILE changes its inode with each rotation: a lock on it
// would have a moment in which another could take the name. It is never
// removed, since removing it would let two hold it.
//
// Its content says how the file ends when that cannot be seen there: see note.
type lock struct {
	path  string
	fd    int
	empty bool // nothing is noted
}

func lockPath(file string) string {
	dir, base := filepath.Split(file)
	return dir + "." + base + ".lock"
}

// takeLock locks a log file. EWOULDBLOCK says that another tmlog has it.
func takeLock(file string) (*lock, error) {
	l := &lock{path: lockPath(file)}
	fd, err := unix.Open(l.path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return nil, err
	}
	l.fd = fd
	return l, nil
}

// renew takes the lock once more when its file went away with the directory.
func (l *lock) renew(file string) error {
	var held, named unix.Stat_t
	if err := unix.Fstat(l.fd, &held); err != nil {
		return err
	}
	if unix.Lstat(l.path, &named) == nil && named.Ino == held.Ino && named.Dev == held.Dev {
		return nil
	}
	fresh, err := takeLock(file)
	if err != nil {
		return err
	}
	unix.Close(l.fd)
	*l = *fresh
	return nil
}

// An ending is what a note says of the input: the bytes that come next
// belong to a line whose beginning was taken already.
type ending string

const (
	wholeLine ending = ""         // no: a new line comes next
	unwritten ending = "skipping" // a line that was dropped
	written   ending = "line"     // the last line of the file
)

// note keeps, over a death of the process, in which line the input stands. It
// holds only as long as the file has this inode and size. So a file that ends
// inside a line without a note was torn by a SIGKILL in the middle of a
// write(2), and the input will deliver that line again from its beginning.
// Where it cannot be written, on a full disk, a line may be split in two.
func (l *lock) note(e ending, inode uint64, size int64) {
	if e == wholeLine {
		if !l.empty {
			l.empty = unix.Ftruncate(l.fd, 0) == nil
		}
		return
	}
	text := noteText(e, inode, size)
	l.empty = false
	if n, err := unix.Pwrite(l.fd, text, 0); n < len(text) || err != nil {
		unix.Ftruncate(l.fd, 0)
		return
	}
	unix.Ftruncate(l.fd, int64(len(text)))
}

// noted returns what was noted of a file of this inode and size.
func (l *lock) noted(inode uint64, size int64) ending {
	buf := make([]byte, 128)
	n, _ := unix.Pread(l.fd, buf, 0)
	for _, e := range []ending{unwritten, written} {
		if n > 0 && bytes.Equal(buf[:n], noteText(e, inode, size)) {
			return e
		}
	}
	return wholeLine
}

func noteText(e ending, inode uint64, size int64) []byte {
	text := append([]byte(e), ' ')
	text = strconv.AppendUint(text, inode, 10)
	text = append(text, ' ')
	text = strconv.AppendInt(text, size, 10)
	return append(text, '\n')
}
