package main

import (
	"path/filepath"

	"taskmaster/lib/safepath"

	"golang.org/x/sys/unix"
)

// An ownership is the mode and owner that a file or directory had, for the
// one that is made in its place.
type ownership struct {
	known    bool
	mode     uint32
	uid, gid int
}

func (o *ownership) remember(st *unix.Stat_t) {
	*o = ownership{true, st.Mode & 0o7777, int(st.Uid), int(st.Gid)}
}

// apply gives them to an open file, as far as this process may.
func (o *ownership) apply(fd int) {
	if o.known {
		unix.Fchown(fd, o.uid, o.gid)
		unix.Fchmod(fd, o.mode)
	}
}

func parent(path string) string { return filepath.Dir(path) }

// A directory is that of the log file. It is held open, since it then tells
// its mode and owner also after somebody removed it.
type directory struct {
	held int // an O_PATH descriptor, -1 before the first file was opened
}

// hold takes the directory as it is now for the one to be made again.
func (d *directory) hold(dir string) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	if d.held >= 0 {
		unix.Close(d.held)
	}
	d.held = fd
}

// makeDir makes a missing directory and those above it, 0755 & ~umask, or as
// the directory was before somebody removed it. What is there already, or is
// put there in between, gets no other owner.
func (d *directory) makeDir(dir string) error {
	made, err := makeDirs(dir)
	if err != nil || !made {
		return err
	}
	fd, err := safepath.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	var before ownership
	var st unix.Stat_t
	if unix.Fstat(d.held, &st) == nil {
		before.remember(&st)
	}
	before.apply(fd)
	return unix.Close(fd)
}

func makeDirs(dir string) (made bool, err error) {
	err = mkdir(dir)
	if err == unix.ENOENT {
		if _, err := makeDirs(parent(dir)); err != nil {
			return false, err
		}
		err = mkdir(dir)
	}
	if err == unix.EEXIST {
		return false, nil
	}
	return err == nil, err
}

// mkdir makes a directory, not behind a link that others put in its way.
func mkdir(dir string) error {
	above, err := safepath.Open(parent(dir), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(above)
	return unix.Mkdirat(above, filepath.Base(dir), 0o755)
}
