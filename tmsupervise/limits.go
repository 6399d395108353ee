package main

import (
	"syscall"

	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// limitEarly sets the limits that need the rights of root since they give
// more, and the one on processes, which counts at the change of the uid
// (execve(2)). It returns the others.
func (st *stage) limitEarly() (late []spec.Limit) {
	for _, l := range st.spec.Limits {
		var now syscall.Rlimit
		if l.Name != "nproc" && syscall.Getrlimit(limitNumber(l.Name), &now) == nil && l.Value <= now.Max {
			late = append(late, l)
			continue
		}
		st.check("limit", setLimit(l), l.Name)
	}
	return late
}

func (st *stage) limitLate(late []spec.Limit) {
	for _, l := range late {
		st.check("limit", setLimit(l), l.Name)
	}
}

// setLimit goes through package syscall, which forgets the NOFILE limit it
// would put back at exec.
func setLimit(l spec.Limit) error {
	which := limitNumber(l.Name)
	if which < 0 {
		return unix.EINVAL
	}
	return syscall.Setrlimit(which, &syscall.Rlimit{Cur: l.Value, Max: l.Value})
}

func limitNumber(name string) int {
	switch name {
	case "nofile":
		return unix.RLIMIT_NOFILE
	case "core":
		return unix.RLIMIT_CORE
	case "nproc":
		return unix.RLIMIT_NPROC
	case "as":
		return unix.RLIMIT_AS
	case "fsize":
		return unix.RLIMIT_FSIZE
	case "memlock":
		return unix.RLIMIT_MEMLOCK
	case "stack":
		return unix.RLIMIT_STACK
	case "data":
		return unix.RLIMIT_DATA
	case "cpu":
		return unix.RLIMIT_CPU
	case "rss":
		return unix.RLIMIT_RSS
	}
	return -1
}
