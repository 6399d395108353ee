// Package safepath opens files in directories that other users may write to,
// as /tmp or the home of a program's user, with rights that those users do not
// have.
//
// A path is walked one directory at a time (openat(2)). As long as nobody but
// root and the caller can write to any directory so far, symbolic links are
// followed as open(2) does, since only they can have made them. From the
// first other directory on none is, neither in the middle of the path nor at
// its end, and since each step starts from an open directory, it is of no use
// to put one there in the middle of the walk. Nor is a file opened there that
// has a second name, which may be in a directory where its owner put it
// (link(2)), and in one like /tmp none is written to that somebody else made,
// as with fs.protected_regular and fs.protected_fifos set (proc(5)).
//
// The package uses raw descriptors and only strconv, for tmsupervise.
package safepath

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links a path may lead through, as in the
// kernel (path_resolution(7)).
const maxLinks = 40

// Open opens path with the flags of open(2) and O_CLOEXEC; with O_NOFOLLOW the
// last part is no link whoever made it. The errors are those of open(2), and in
// a directory that others may write to, or below one, ELOOP for a symbolic link
// anywhere, EMLINK for a file with two names and EACCES for one that somebody
// prepared to be written to.
func Open(path string, flags int, mode uint32) (fd int, err error) {
	w, name, err := walkTo(path, flags&unix.O_NOFOLLOW == 0)
	if err != nil {
		return -1, err
	}
	defer w.close()
	fd, err = openAt(w.dir, name, flags|w.noFollow(), mode)
	if err != nil || !w.shared {
		return fd, err
	}
	if err := w.suspect(fd, flags&unix.O_ACCMODE != unix.O_RDONLY); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// suspect says what is wrong with a file that others may have put there.
func (w *walker) suspect(fd int, writing bool) error {
	var dir, st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if err := unix.Fstat(w.dir, &dir); err != nil {
		return err
	}
	const likeTmp = unix.S_ISVTX | 0o002
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFREG && st.Nlink > 1:
		return unix.EMLINK
	case writing && kind != unix.S_IFDIR && dir.Mode&likeTmp == likeTmp && !ours(st.Uid) && st.Uid != dir.Uid:
		return unix.EACCES
	}
	return nil
}

// Trusted reports whether nobody but root and the caller can write to any of
// the directories that path leads through. It need not exist, its directory
// must.
func Trusted(path string) bool {
	w, _, err := walkTo(path, true)
	if err != nil {
		return false
	}
	defer w.close()
	return !w.shared
}

// Secure returns nil when nobody but root and the caller can change what path
// names. Unlike Trusted it allows for the sticky bit: what root or the caller
// own in /tmp nobody else can move away (unlink(2)). Nor does it mind the
// group of the caller's own number, as the members of a user private group
// are that user alone. The error names the directory and what is wrong.
func Secure(path string) error {
	w, _, err := walkTo(path, true)
	if err != nil {
		return err
	}
	defer w.close()
	if w.loose != nil {
		return w.loose
	}
	return nil
}

// A LooseError says which directory lets someone else change what is below.
type LooseError struct {
	Dir, Why string
	UID, GID int // who owns the directory, or what is in its way
}

// Error returns "DIR WHY".
func (e *LooseError) Error() string { return e.Dir + " " + e.Why }

// A walker has come to a directory.
type walker struct {
	dir    int    // open with O_PATH
	at     string // its path, for messages
	links  int
	magic  bool        // what is next is a link of /proc, which only the kernel can follow
	shared bool        // others may write to one of the directories so far
	loose  *LooseError // the first that others may use, sticky bit allowed for
}

func (w *walker) close() { unix.Close(w.dir) }

// walkTo goes to the directory that path names its last part in, which is that
// of the link itself when last links are not to be followed.
func walkTo(path string, followLast bool) (w *walker, name string, err error) {
	if path == "" {
		return nil, "", unix.ENOENT
	}
	if path[0] != '/' {
		cwd, err := unix.Getwd()
		if err != nil {
			return nil, "", err
		}
		path = cwd + "/" + path
	}
	w = &walker{dir: -1}
	if err := w.enterRoot(); err != nil {
		return nil, "", err
	}
	for {
		name, path = cutFirst(path)
		w.judge(name)
		target, linked := w.link(name)
		switch {
		case linked && path == "" && !followLast:
			return w, name, nil
		case linked:
			if path != "" {
				target += "/" + path
			}
			path, err = target, w.follow(target)
		case path == "":
			return w, name, nil
		default:
			err = w.enter(name)
		}
		if err != nil {
			w.close()
			return nil, "", err
		}
	}
}

// cutFirst takes the first part off a path; rest is "" behind the last one.
// The path of a directory, "/" or "a/", ends in ".".
func cutFirst(path string) (name, rest string) {
	path = strings.TrimLeft(path, "/")
	end := strings.IndexByte(path, '/')
	if end < 0 {
		if path == "" {
			return ".", ""
		}
		return path, ""
	}
	name, rest = path[:end], strings.TrimLeft(path[end:], "/")
	if rest == "" {
		rest = "."
	}
	return name, rest
}

// judge looks at who may change what name is in this directory.
func (w *walker) judge(name string) {
	var st, entry unix.Stat_t
	if err := unix.Fstat(w.dir, &st); err != nil {
		w.find("cannot be looked at", &st)
		return
	}
	if !ours(st.Uid) {
		w.find("belongs to user "+strconv.Itoa(int(st.Uid)), &st)
	}
	others := st.Mode&0o022 != 0
	private := st.Mode&0o002 == 0 && int(st.Gid) == unix.Getegid() && int(st.Gid) == unix.Geteuid()
	switch {
	case !others:
	case private:
		w.shared = true
	case st.Mode&unix.S_ISVTX == 0:
		w.find("is writable by others", &st)
	case unix.Fstatat(w.dir, name, &entry, unix.AT_SYMLINK_NOFOLLOW) == nil && !ours(entry.Uid):
		w.find("lets user "+strconv.Itoa(int(entry.Uid))+" have "+name, &entry)
	default:
		w.shared = true
	}
}

// find notes that others can change what is here, and the first reason.
func (w *walker) find(why string, owner *unix.Stat_t) {
	w.shared = true
	if w.loose == nil {
		w.loose = &LooseError{w.at, why, int(owner.Uid), int(owner.Gid)}
	}
}

func ours(uid uint32) bool { return uid == 0 || int(uid) == unix.Geteuid() }

// link returns what a symbolic link leads to, if name is one that may be
// followed. Those of /proc, such as /proc/self/fd/1, which /dev/stdout leads
// to, are left to the kernel: their text is no path (proc(5)).
func (w *walker) link(name string) (target string, ok bool) {
	w.magic = false
	if w.shared {
		return "", false
	}
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(w.dir, name, buf[:])
	if err != nil {
		return "", false
	}
	var fs unix.Statfs_t
	w.magic = unix.Fstatfs(w.dir, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC
	return string(buf[:n]), !w.magic
}

func (w *walker) noFollow() int {
	if w.magic {
		return 0
	}
	return unix.O_NOFOLLOW
}

// follow counts a link and starts the walk where its target does.
func (w *walker) follow(target string) error {
	w.links++
	if w.links > maxLinks {
		return unix.ELOOP
	}
	if target[0] == '/' {
		return w.enterRoot()
	}
	return nil
}

func (w *walker) enterRoot() error {
	fd, err := openAt(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		w.move(fd, "/")
	}
	return err
}

// enter goes into a directory, which is no link: link has looked for those
// that may be followed.
func (w *walker) enter(name string) error {
	fd, err := openAt(w.dir, name, unix.O_PATH|unix.O_DIRECTORY|w.noFollow(), 0)
	if err == unix.ENOTDIR {
		var st unix.Stat_t
		if unix.Fstatat(w.dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
			return unix.ELOOP
		}
	}
	if err == nil {
		w.move(fd, strings.TrimSuffix(w.at, "/")+"/"+name)
	}
	return err
}

func (w *walker) move(fd int, at string) {
	if w.dir >= 0 {
		unix.Close(w.dir)
	}
	w.dir, w.at = fd, at
}

func openAt(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}
