// Package statedir is the directory in which the keepers of taskmaster find
// each other and the programs they keep: names, locks, FIFOs, and status
// files replaced by rename(2).
//
//	STATE/lock       held by tmd
//	STATE/address    host:port that tmd listens on
//	STATE/secret     what a client must know
//	STATE/events     FIFO: all helpers write, tmd reads
//	STATE/run/web:0/ spec status control lock of one instance
//	STATE/log/       FIFOs between programs and tmlogs
//
// It describes running processes, so nothing in it needs fsync: what another
// boot left is discarded. The package uses raw descriptors, as procfs does.
package statedir

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"taskmaster/lib/procfs"
	"taskmaster/lib/safepath"

	"golang.org/x/sys/unix"
)

// ErrOwner says that the state directory belongs to someone else.
var ErrOwner = errors.New("owned by someone else")

// ErrWritable says that others than its owner may write to the state directory.
var ErrWritable = errors.New("writable by others, make it mode 0700")

// ErrOpen says that others than its owner may enter a directory in which all
// files are open to them.
var ErrOpen = errors.New("accessible by others, make it mode 0700")

// ErrNotDir says that the state directory is a symbolic link or no directory.
var ErrNotDir = errors.New("not a directory (or a symbolic link)")

// A Dir is the path of a state directory.
type Dir string

// Default is the state directory of the calling user: /run/taskmaster for
// root, else $XDG_RUNTIME_DIR/taskmaster, else $HOME/.taskmaster.
func Default() string {
	if os.Geteuid() == 0 {
		return "/run/taskmaster"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return dir + "/taskmaster"
	}
	return os.Getenv("HOME") + "/.taskmaster"
}

// Create makes the state directory and its subdirectories where they are
// missing, 0700, and refuses one that someone else owns or may write to, or
// could put another in the place of, so that an entry prepared in /tmp or /run
// is never followed. The errors are ErrOwner, ErrWritable, ErrOpen, ErrNotDir,
// those of safepath.Secure and those of mkdir(2).
func Create(path string) (Dir, error) {
	if err := safepath.Secure(path); err != nil {
		return "", err
	}
	// What mkdir(1) made with the usual umask will do: each file in it keeps
	// others out by its own mode. The FIFOs in log have none that would.
	if err := makeDir(path, 0o022, ErrWritable); err != nil {
		return "", err
	}
	for _, dir := range []string{path + "/run", path + "/log"} {
		if err := makeDir(dir, 0o077, ErrOpen); err != nil {
			return "", err
		}
	}
	return Dir(path), nil
}

// makeDir makes a directory, or accepts one that is there, is ours, and whose
// mode has nothing of refused.
func makeDir(dir string, refused uint32, open error) error {
	switch err := unix.Mkdir(dir, 0o700); err {
	case nil:
		// mkdir(2) takes the umask off, be it one that is meant for files alone.
		return unix.Chmod(dir, 0o700)
	case unix.EEXIST:
	default:
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return ErrNotDir
	case int(st.Uid) != os.Geteuid():
		return ErrOwner
	case st.Mode&refused != 0:
		return open
	}
	return nil
}

// Lock is held by tmd, and holds its pid.
func (d Dir) Lock() string { return string(d) + "/lock" }

// Address holds the host:port that tmd listens on.
func (d Dir) Address() string { return string(d) + "/address" }

// Secret is the default place of the client's secret.
func (d Dir) Secret() string { return string(d) + "/secret" }

// Events is the FIFO of event lines.
func (d Dir) Events() string { return string(d) + "/events" }

// Boot holds the boot id that the rest of the directory is of.
func (d Dir) Boot() string { return string(d) + "/boot" }

// Run is the directory of one instance.
func (d Dir) Run(name string) Run { return Run(string(d) + "/run/" + name) }

// RunDir holds a directory for each instance.
func (d Dir) RunDir() string { return string(d) + "/run" }

// LogDir holds the FIFOs of the tmlogs.
func (d Dir) LogDir() string { return string(d) + "/log" }

// Log is the FIFO between the programs that write to file and its tmlog. Its
// name is the file's path with '/' written %2F; one that would pass the 255
// bytes of a name (NAME_MAX) keeps its end and a sum of the whole.
func (d Dir) Log(file string) string {
	name := strings.NewReplacer("%", "%25", "/", "%2F").Replace(file)
	const most, sumAndDots = 240, 20 // what is left of NAME_MAX is for NAME.pid.new
	if len(name) > most {
		name = strconv.FormatUint(sum(file), 16) + "..." + name[len(name)-most+sumAndDots:]
	}
	return d.LogDir() + "/" + name
}

// sum is FNV-1a with 64 bits: not against malice, the owner of the
// configuration names the files.
func sum(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(text); i++ {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// A Run is the path of one instance's directory.
type Run string

// Name is the instance's: the last part of the path.
func (r Run) Name() string { return string(r[strings.LastIndexByte(string(r), '/')+1:]) }

// State is the state directory that the instance's is in.
func (r Run) State() Dir {
	path := strings.TrimSuffix(string(r), "/run/"+r.Name())
	return Dir(path)
}

// Spec is what to run.
func (r Run) Spec() string { return string(r) + "/spec" }

// Status is what became of it.
func (r Run) Status() string { return string(r) + "/status" }

// Control is the FIFO of commands to the helper.
func (r Run) Control() string { return string(r) + "/control" }

// Lock is held by the helper, and holds its pid.
func (r Run) Lock() string { return string(r) + "/lock" }

// Order is the last command of a user, as it was sent to the helper: it is
// sent again when tmd and helper died before it was heeded.
func (r Run) Order() string { return string(r) + "/order" }

// Illness is what a health check has reported of which process, and not taken
// back yet: tmd writes it for the tmd after it.
func (r Run) Illness() string { return string(r) + "/illness" }

// Ready is the FIFO on which a program with `ready: {notify: FD}` says so. It
// outlives the helper: a program that is starting holds both its ends, and the
// next helper finds the newline in it.
func (r Run) Ready() string { return string(r) + "/ready" }

// Create makes the instance's directory and its control FIFO where they are
// missing.
func (r Run) Create() error {
	if err := makeDir(string(r), 0o077, ErrOpen); err != nil {
		return err
	}
	return MakeFIFO(r.Control(), 0o600)
}

// Remove takes the instance's directory away with all files that are in it.
func (r Run) Remove() error {
	fd, err := Paths.open(string(r), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	names, err := procfs.NamesOpen(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := unix.Unlinkat(fd, name, 0); err != nil && err != unix.ENOENT {
			return err
		}
	}
	if err := unix.Rmdir(string(r)); err != nil && err != unix.ENOENT {
		return err
	}
	return nil
}

// MakeFIFO makes a FIFO with exactly that mode, or accepts one that is there
// already. EEXIST says that something else is in its place.
func MakeFIFO(path string, mode uint32) error {
	err := unix.Mkfifo(path, mode)
	if err == nil {
		// mkfifo(3) takes the umask off; the programs of other users must
		// be able to open theirs.
		return unix.Chmod(path, mode)
	}
	var st unix.Stat_t
	if err == unix.EEXIST && unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
		return nil
	}
	return err
}

// Replace writes a file by rename(2), mode 0600: a reader finds the old
// content or the new one. What fails leaves the old one. What an interrupted
// Replace left, or somebody put there to read the content or to block us with
// a FIFO, is removed and never opened.
func Replace(path string, content []byte) error {
	fresh := path + ".new"
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL
	fd, err := Paths.open(fresh, flags, 0o600)
	if err == unix.EEXIST && unix.Unlink(fresh) == nil {
		fd, err = Paths.open(fresh, flags, 0o600)
	}
	if err != nil {
		return err
	}
	err = WriteAll(fd, content)
	if e := unix.Close(fd); err == nil {
		err = e
	}
	if err == nil {
		err = unix.Rename(fresh, path)
	}
	if err != nil {
		unix.Unlink(fresh)
	}
	return err
}

// WriteAll writes all of content, whatever write(2) takes at once.
func WriteAll(fd int, content []byte) error {
	for len(content) > 0 {
		n, err := unix.Write(fd, content)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		content = content[n:]
	}
	return nil
}
