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
	"slices"
	"strconv"

	"taskmaster/lib/line"

	"golang.org/x/sys/unix"
)

// TicksPerSecond is USER_HZ, the unit of process start times: 100 on every
// architecture that Go runs on.
const TicksPerSecond = 100

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

func number(digits []byte) uint64 {
	n, _ := strconv.ParseUint(string(digits), 10, 64)
	return n
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

// Exists reports whether there is such a process, a zombie too.
func Exists(pid int) bool { return unix.Kill(pid, 0) != unix.ESRCH }

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
