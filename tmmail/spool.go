package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/safepath"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A spool is the directory in which events and mails wait, so that no death
// of tmmail loses one:
//
//	SPOOL/lock     held by the tmmail at work
//	SPOOL/tmp/     being written; emptied at start
//	SPOOL/group/   a file per group: what has happened since its last mail
//	SPOOL/queue/   a file per mail that waits for the server
//	SPOOL/failed/  mails given up, with the server's words
//	SPOOL/hour     when the mails of the last hour were made
//	SPOOL/taking   names the input that is being taken in
//
// Every file is written under tmp/, synced, and renamed into place, so that
// there is either the old one or the new one, whole (nullmailer's way).
type spool string

var spoolDirs = []string{"tmp", "group", "queue", "failed"}

// errSpoolInUse says that another tmmail works on the spool.
var errSpoolInUse = errors.New("another tmmail works there; name another spool with -S")

// openSpool makes what is missing, 0700, takes the lock, which the process
// keeps to its end, and clears away half-written files. The errors are
// errSpoolInUse and those of the system.
func openSpool(dir string) (spool, error) {
	s := spool(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := checkOwner(dir); err != nil {
		return "", err
	}
	if err := s.makeDirs(); err != nil {
		return "", err
	}
	if _, err := statedir.TryLock(s.path("lock")); errors.Is(err, unix.EWOULDBLOCK) {
		return "", errSpoolInUse
	} else if err != nil {
		return "", fmt.Errorf("lock: %w", err)
	}
	for _, name := range s.list("tmp") {
		os.Remove(s.path("tmp", name))
	}
	return s, nil
}

func (s spool) makeDirs() error {
	for _, sub := range spoolDirs {
		if err := os.MkdirAll(s.path(sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner refuses a directory in which someone else could put a mail, or in
// whose place another: what is in tmp/ is removed at start.
func checkOwner(dir string) error {
	if err := safepath.Secure(dir); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return statedir.ErrOwner
	}
	if info.Mode().Perm()&0o077 != 0 {
		return statedir.ErrOpen
	}
	return nil
}

func (s spool) path(parts ...string) string {
	return filepath.Join(append([]string{string(s)}, parts...)...)
}

// list returns the names in a directory of the spool in order; what cannot
// be listed is empty.
func (s spool) list(sub string) []string {
	entries, err := os.ReadDir(s.path(sub))
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// mostOfFile bounds what is read of a file in the spool.
const mostOfFile = 64 << 20

func (s spool) read(sub, name string) ([]byte, error) {
	in, err := os.OpenFile(s.path(sub, name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, mostOfFile))
	if err == nil && len(text) == mostOfFile {
		err = unix.EFBIG
	}
	return text, err
}

// setAside moves a file that makes no sense into failed/, for a person.
func (s spool) setAside(sub, name string) {
	if err := os.Rename(s.path(sub, name), s.path("failed", "unreadable."+name)); err != nil {
		die.Warn("unable to set aside "+s.path(sub, name), err)
	}
}

// write replaces the file sub/name. It is whole and durable under that name
// once sync(sub) has returned as well.
func (s spool) write(sub, name string, content []byte) error {
	tmp := s.path("tmp", name)
	err := writeSynced(tmp, content)
	if errors.Is(err, os.ErrNotExist) { // someone removed the directory
		if err = s.makeDirs(); err == nil {
			err = writeSynced(tmp, content)
		}
	}
	if err == nil {
		err = os.Rename(tmp, s.path(sub, name))
	}
	if err != nil {
		os.Remove(tmp) // or a full disk stays full
	}
	return err
}

func writeSynced(path string, content []byte) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(content)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// sync makes the renames and removals in a directory durable.
func (s spool) sync(sub string) error {
	dir, err := os.Open(s.path(sub))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// remove takes a file away; one that is not there is fine.
func (s spool) remove(sub, name string) error {
	err := os.Remove(s.path(sub, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
