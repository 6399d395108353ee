package procfs

import (
	"bytes"
	"errors"
)

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

// Stats returns what ReadStat tells of every process, by pid.
func Stats() map[int]Stat {
	pids, _ := Pids()
	stats := make(map[int]Stat, len(pids))
	for _, pid := range pids {
		if s, err := ReadStat(pid); err == nil { // else it ended meanwhile
			stats[pid] = s
		}
	}
	return stats
}

// Alive reports whether pid is still the process that started at start ticks
// after boot, and has not ended.
func Alive(pid int, start uint64) bool {
	s, err := ReadStat(pid)
	return err == nil && s.Start == start && !s.Dead()
}
