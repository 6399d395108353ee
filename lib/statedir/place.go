package statedir

import (
	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// A Place is the descriptor of an open directory, in which files are found by
// name alone. It spares the kernel the walk along a path, again at every
// change of a status, and a tmsupervise the memory for paths of every length.
type Place int

// Paths is the place in which a name is a path.
const Paths Place = unix.AT_FDCWD

// Open opens the instance's directory. The errors are those of open(2).
func (r Run) Open() (Place, error) {
	fd, err := Paths.open(string(r), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	return Place(fd), err
}

// OpenFIFO opens a FIFO for reading and writing, which never blocks, and
// neither end of which then sees the other one go (fifo(7)). A flag O_NONBLOCK
// is for what follows.
func (p Place) OpenFIFO(name string, flags int) (int, error) {
	fd, err := p.open(name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		unix.Close(fd)
		return -1, unix.ENXIO
	}
	if flags&unix.O_NONBLOCK == 0 {
		unix.SetNonblock(fd, false)
	}
	return fd, nil
}

// Publish writes a file as Replace does, but without needing space for it
// after the first time: the old file is kept as NAME.new, written over, and
// exchanged with NAME (renameat2(2) with RENAME_EXCHANGE). So a full disk
// does not keep a helper from saying what it does. Readers use ReadPublished.
func (p Place) Publish(name string, content []byte) error {
	fresh := name + ".new"
	fd, err := p.openUnread(fresh)
	if err != nil {
		return err
	}
	err = WriteAll(fd, content)
	if err == nil {
		err = unix.Ftruncate(fd, int64(len(content)))
	}
	if e := unix.Close(fd); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	err = unix.Renameat2(int(p), fresh, int(p), name, unix.RENAME_EXCHANGE)
	if err == unix.ENOENT || err == unix.EINVAL || err == unix.ENOSYS {
		err = unix.Renameat(int(p), fresh, int(p), name)
	}
	return err
}

// openUnread opens the file to write over. It was NAME a moment ago: while a
// reader still holds it (flock(2)), another file takes its place, and of what
// is no file as well.
func (p Place) openUnread(fresh string) (fd int, err error) {
	for {
		flags := 0 // of unlinkat(2)
		fd, err = p.open(fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if err == nil {
			if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == nil {
				return fd, nil
			}
			unix.Close(fd)
		}
		switch err {
		case unix.EWOULDBLOCK, unix.EINTR: // it is being read
		case unix.ENXIO, unix.ELOOP: // a FIFO, a link
		case unix.EISDIR:
			flags = unix.AT_REMOVEDIR
		default:
			return -1, err
		}
		if err := unix.Unlinkat(int(p), fresh, flags); err != nil && err != unix.ENOENT {
			return -1, err
		}
	}
}

// ReadPublished reads a file that Publish writes, at most max bytes, as it was
// at one moment. It never waits: a FIFO in its place is an empty file.
func (p Place) ReadPublished(name string, max int) ([]byte, error) {
	for {
		fd, err := p.open(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB)
		if err == nil {
			text, err := procfs.ReadOpen(fd, max)
			unix.Close(fd)
			return text, err
		}
		unix.Close(fd)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return nil, err
		}
		// It has been exchanged and is being written over: NAME is another.
	}
}

// Read returns the content of a file that Replace writes, in room if it fits
// there, else in memory of its own and at most max bytes of it. It never waits,
// as ReadPublished.
func (p Place) Read(name string, room []byte, max int) ([]byte, error) {
	fd, err := p.open(name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	text, err := procfs.ReadOpenInto(fd, room)
	if err != nil || len(text) < len(room) {
		return text, err
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	return procfs.ReadOpen(fd, max)
}

// OpenFIFO is Paths.OpenFIFO.
func OpenFIFO(path string, flags int) (int, error) { return Paths.OpenFIFO(path, flags) }

// Publish is Paths.Publish.
func Publish(path string, content []byte) error { return Paths.Publish(path, content) }

// ReadPublished is Paths.ReadPublished.
func ReadPublished(path string, max int) ([]byte, error) { return Paths.ReadPublished(path, max) }

func (p Place) open(name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(int(p), name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
