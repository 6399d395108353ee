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
	Start   uint64 // ticks after boot
	RSS     int64  // resident pages
}

// Dead reports whether the process has ended, waited for or not.
func (s Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' }

// ReadFile returns the content of a small file, at most max bytes of it.
func ReadFile(path string, max int) ([]byte, error) {
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 0, min(max, 2048))
	for len(buf) < max {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(max, 2*cap(buf))-len(buf))
		}
		n, err := unix.Read(fd, buf[len(buf):min(cap(buf), max)])
		if err == unix.EINTR {
			continue
		}
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

// ReadStat reads /proc/PID/stat. ESRCH or ENOENT say that there is no such
// process.
func ReadStat(pid int) (Stat, error) {
	text, err := ReadFile(file(pid, "stat"), 4096)
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
	f := bytes.Fields(text[end+1:])
	if len(f) < 22 || len(f[0]) != 1 {
		return Stat{}, ErrStat
	}
	s := Stat{
		PID: int(number(text[:space])), State: f[0][0], PPID: int(number(f[1])),
		Group: int(number(f[2])), Session: int(number(f[3])),
		User: number(f[11]), System: number(f[12]), Start: number(f[19]), RSS: int64(number(f[21])),
	}
	if s.PID == 0 {
		return Stat{}, ErrStat
	}
	return s, nil
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
	self := unix.Getpid()
	if _, err := ReadFile(file(self, "task/")+strconv.Itoa(self)+"/children", 1); err == nil {
		return below(root, children)
	}
	byParent := childrenOfAll()
	return below(root, func(pid int) []int { return byParent[pid] })
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
	text, err := ReadFile(file(pid, "environ"), 4<<20)
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
	text, err := ReadFile(file(pid, "environ"), 4<<20)
	return err == nil && (bytes.HasPrefix(text, []byte(key+"=")) || bytes.Contains(text, []byte("\x00"+key+"=")))
}

// Names returns the entries of a directory.
func Names(dir string) ([]string, error) {
	fd, err := open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
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
	text, err := ReadFile("/proc/sys/kernel/random/boot_id", 64)
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(text))
}
