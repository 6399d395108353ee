// Package procfs reads from proc(5) what a supervisor must know of processes
// that it did not start itself: who they are, whose children, which session.
//
// A pid names a process only while nobody has waited for it. So a process is
// known by its pid together with its start time and the boot id, and is
// signalled through a pidfd (pidfd_open(2)) that was opened before the start
// time was read.
//
// The package uses raw descriptors: os.File would start the runtime's poller
// in each of thousands of helpers.
package procfs

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"taskmaster/lib/line"

	"golang.org/x/sys/unix"
)

// TicksPerSecond is USER_HZ, the unit of process start times: 100 on every
// architecture that Go runs on.
const TicksPerSecond = 100

// ErrStat says that /proc/PID/stat was not in the form of proc(5).
var ErrStat = errors.New("malformed /proc/PID/stat")

// A Stat is what /proc/PID/stat tells.
type Stat struct {
	PID     int
	State   byte // R S D Z T t X I
	PPID    int
	Group   int
	Session int
	User    uint64 // processor time in ticks, in user mode
	System  uint64 // and in the kernel
	Threads int
	Start   uint64 // ticks after boot
	RSS     int64  // resident pages
	Exiting bool   // it is past the point of no return (PF_EXITING)
}

// Dead reports whether the process has ended, waited for or not. A zombie with
// more threads than one has not: only its first thread is gone, and the others
// have all of its files and locks.
func (s Stat) Dead() bool { return s.State == 'X' || s.State == 'Z' && s.Threads <= 1 }

// ReadFile returns the content of a small file, at most max bytes of it.
func ReadFile(path string, max int) ([]byte, error) {
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return ReadOpen(fd, max)
}

// ReadOpen is ReadFile of an open file.
func ReadOpen(fd, max int) ([]byte, error) {
	buf := make([]byte, 0, min(max, sizeOf(fd)))
	for len(buf) < max {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(max, 2*cap(buf))-len(buf))
		}
		n, err := read(fd, buf[len(buf):min(cap(buf), max)])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		buf = buf[:len(buf)+n]
	}
	return buf, nil
}

// sizeOf guesses what a file holds, one byte more so that its end is seen at
// once; the files of /proc do not tell (stat(2) says 0).
func sizeOf(fd int) int {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Size <= 0 {
		return 2048
	}
	return int(min(st.Size, 1<<30)) + 1
}

// ReadInto is ReadFile into the caller's memory, at most as much as fits.
func ReadInto(path string, buf []byte) ([]byte, error) {
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return ReadOpenInto(fd, buf)
}

// ReadOpenInto is ReadInto of an open file.
func ReadOpenInto(fd int, buf []byte) ([]byte, error) {
	end := 0
	for end < len(buf) {
		n, err := read(fd, buf[end:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		end += n
	}
	return buf[:end], nil
}

func read(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func file(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

// statMax is above what is read of /proc/PID/stat: 24 numbers and a name of
// at most 64 bytes.
const statMax = 640

// ReadStat reads /proc/PID/stat. ESRCH or ENOENT say that there is no such
// process.
func ReadStat(pid int) (Stat, error) {
	var buf [statMax]byte
	return ReadStatInto(pid, buf[:])
}

// ReadStatInto is ReadStat by way of the caller's memory, 640 bytes.
func ReadStatInto(pid int, buf []byte) (Stat, error) {
	text, err := ReadInto(file(pid, "stat"), buf)
	if err != nil {
		return Stat{}, err
	}
	return parseStat(text)
}

// parseStat splits after the last ')': the name in front may hold spaces and
// parentheses.
func parseStat(text []byte) (Stat, error) {
	end := bytes.LastIndexByte(text, ')')
	space := bytes.IndexByte(text, ' ')
	if end < 0 || space < 0 || space > end {
		return Stat{}, ErrStat
	}
	s := Stat{PID: int(number(text[:space]))}
	rest := text[end+1:]
	for i := 3; i <= 24; i++ { // the numbers of proc(5)
		var field []byte
		field, rest = nextField(rest)
		if len(field) == 0 {
			return Stat{}, ErrStat
		}
		s.set(i, field)
	}
	if s.PID == 0 || s.State == 0 {
		return Stat{}, ErrStat
	}
	return s, nil
}

func nextField(text []byte) (field, rest []byte) {
	text = bytes.TrimLeft(text, " \n")
	end := bytes.IndexAny(text, " \n")
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// set takes in the field that proc(5) gives that number.
func (s *Stat) set(field int, value []byte) {
	switch field {
	case 3:
		if len(value) == 1 {
			s.State = value[0]
		}
	case 4:
		s.PPID = int(number(value))
	case 5:
		s.Group = int(number(value))
	case 6:
		s.Session = int(number(value))
	case 9:
		const exiting = 0x4 // PF_EXITING, include/linux/sched.h
		s.Exiting = number(value)&exiting != 0
	case 14:
		s.User = number(value)
	case 15:
		s.System = number(value)
	case 20:
		s.Threads = int(number(value))
	case 22:
		s.Start = number(value)
	case 24:
		s.RSS = int64(number(value))
	}
}

func number(digits []byte) uint64 {
	n, _ := strconv.ParseUint(string(digits), 10, 64)
	return n
}

// Alive reports whether pid is still the process that started at start ticks
// after boot, and has not ended.
func Alive(pid int, start uint64) bool {
	s, err := ReadStat(pid)
	return err == nil && s.Start == start && !s.Dead()
}

// Pids returns all processes that /proc shows, in no order.
func Pids() ([]int, error) { return numbers("/proc") }

func numbers(dir string) ([]int, error) {
	names, err := Names(dir)
	found := make([]int, 0, len(names))
	for _, name := range names {
		if id, err := strconv.Atoi(name); err == nil {
			found = append(found, id)
		}
	}
	return found, err
}

// Descendants returns all processes below root, parents before their
// children, root itself not among them; unwaited zombies are. It follows
// /proc/PID/task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN),
// and otherwise reads the parent of every process once.
func Descendants(root int) []int {
	if hasChildrenFiles() {
		return below(root, children)
	}
	byParent := childrenOfAll()
	return below(root, func(pid int) []int { return byParent[pid] })
}

// Children returns the processes whose parent pid is, unwaited zombies too.
func Children(pid int) []int {
	if hasChildrenFiles() {
		return children(pid)
	}
	return childrenOfAll()[pid]
}

// hasChildrenFiles reports CONFIG_PROC_CHILDREN.
func hasChildrenFiles() bool {
	self := unix.Getpid()
	_, err := ReadFile(file(self, "task/")+strconv.Itoa(self)+"/children", 1)
	return err == nil
}

func below(root int, children func(int) []int) []int {
	found := slices.Clone(children(root))
	for i := 0; i < len(found); i++ {
		for _, child := range children(found[i]) {
			if !slices.Contains(found, child) {
				found = append(found, child)
			}
		}
	}
	return found
}

// children asks every thread of pid: a child belongs to the one that made it.
func children(pid int) []int {
	tasks, _ := numbers(file(pid, "task"))
	var found []int
	for _, task := range tasks {
		text, _ := ReadFile(file(pid, "task/")+strconv.Itoa(task)+"/children", 1<<20)
		for _, word := range bytes.Fields(text) {
			found = append(found, int(number(word)))
		}
	}
	return found
}

func childrenOfAll() map[int][]int {
	pids, _ := Pids()
	byParent := make(map[int][]int, len(pids))
	for _, pid := range pids {
		if s, err := ReadStat(pid); err == nil {
			byParent[s.PPID] = append(byParent[s.PPID], pid)
		}
	}
	return byParent
}

// Exists reports whether there is such a process, a zombie too.
func Exists(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }

// HasEnv reports whether the environment that pid was started with holds all
// of the KEY=VALUE entries. A program that overwrote it to show a title
// (nginx, redis) has none.
func HasEnv(pid int, entries ...string) bool {
	text, err := environ(pid)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		if !hasEntry(text, entry) {
			return false
		}
	}
	return true
}

// HasEnvKey reports whether the environment that pid was started with sets a
// variable of that name.
func HasEnvKey(pid int, key string) bool {
	text, err := environ(pid)
	return err == nil && (bytes.HasPrefix(text, []byte(key+"=")) || bytes.Contains(text, []byte("\x00"+key+"=")))
}

// execTries bounds how often a process in the middle of an exec is looked at,
// a millisecond apart.
const execTries = 100

// environ reads the environment that pid was started with. For a moment in
// each execve(2) a process shows none: then it is looked at again.
func environ(pid int) (text []byte, err error) {
	for tries, bare := 0, 0; tries < execTries && bare < 2; tries++ {
		text, err = ReadFile(file(pid, "environ"), 4<<20)
		if err != nil || len(text) > 0 {
			break
		}
		start, end, ok := placeOfEnv(pid)
		if !ok {
			break
		}
		if start == end && end != 0 {
			bare++ // it has none, or execve(2) is just about to fill the place
		}
		awaitEnd(pid, 1)
	}
	return text, err
}

// placeOfEnv is where a process has its environment: both are zero in the
// middle of an exec. A kernel thread and a zombie have no memory: ok is false.
func placeOfEnv(pid int) (start, end uint64, ok bool) {
	var buf [1024]byte
	text, err := ReadInto(file(pid, "stat"), buf[:])
	if err != nil {
		return 0, 0, false
	}
	const first, vsize, envStart, envEnd = 3, 23, 50, 51 // the numbers of proc(5)
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= envEnd-first || number(fields[vsize-first]) == 0 {
		return 0, 0, false
	}
	return number(fields[envStart-first]), number(fields[envEnd-first]), true
}

// Names returns the entries of a directory.
func Names(dir string) ([]string, error) {
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return NamesOpen(fd)
}

// NamesOpen is Names of an open directory.
func NamesOpen(fd int) ([]string, error) {
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

func hasEntry(environ []byte, entry string) bool {
	for len(environ) > 0 {
		one, rest, _ := bytes.Cut(environ, []byte{0})
		if string(one) == entry {
			return true
		}
		environ = rest
	}
	return false
}

// Executable returns the path that /proc/PID/exe points at, "" when that
// cannot be read.
func Executable(pid int) string {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlink(file(pid, "exe"), buf)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSuffix(buf[:n], []byte(" (deleted)")))
}

// UID returns the real user of pid, -1 when there is no such process.
func UID(pid int) int {
	var st unix.Stat_t
	if unix.Stat(file(pid, "stat"), &st) != nil {
		return -1
	}
	return int(st.Uid)
}

// Ticks is the present in the unit and on the clock of Stat.Start.
func Ticks() uint64 {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return uint64(t.Nano()) / (1e9 / TicksPerSecond)
}

// BootID returns the kernel's id of this boot (random(4)).
func BootID() string {
	var buf [64]byte
	text, err := ReadInto("/proc/sys/kernel/random/boot_id", buf[:])
	if err != nil {
		return ""
	}
	return line.InUsualBlock(bytes.TrimSpace(text))
}
