package main

import (
	"errors"
	"path/filepath"

	"taskmaster/lib/safepath"

	"golang.org/x/sys/unix"
)

// A lock keeps a second tmlog away from a log file. It is a file of its own,
// .FILE.lock, because FILE changes its inode with each rotation: a lock on it
// would have a moment in which another could take the name. It is never
// removed, since removing it would let two hold it.
//
// Its content is a note.
type lock struct {
	path  string
	fd    int  // -1 while it could not be taken
	blank bool // nothing is noted
}

func lockPath(file string) string {
	dir, base := filepath.Split(file)
	return dir + "." + base + ".lock"
}

// errLocked says that another tmlog has the lock.
var errLocked = errors.New("another tmlog writes it")

// takeLock locks a log file.
func takeLock(file string) (*lock, error) {
	l := &lock{path: lockPath(file)}
	fd, err := safepath.Open(l.path, unix.O_RDWR|unix.O_CREAT|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if err == unix.EWOULDBLOCK {
			err = errLocked
		}
		return nil, err
	}
	l.fd = fd
	return l, nil
}

// renew takes the lock when that has not been possible yet, and once more when
// its file went away with the directory.
func (l *lock) renew(file string) error {
	var held, named unix.Stat_t
	if l.fd >= 0 {
		if err := unix.Fstat(l.fd, &held); err != nil {
			return err
		}
		if unix.Lstat(l.path, &named) == nil && named.Ino == held.Ino && named.Dev == held.Dev {
			return nil
		}
	}
	fresh, err := takeLock(file)
	if err != nil {
		return err
	}
	if l.fd >= 0 {
		unix.Close(l.fd)
	}
	*l = *fresh
	return nil
}
