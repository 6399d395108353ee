package main

import (
	"syscall"

	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

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
