package main

import (
	"runtime"
	"sync"
	"syscall"
	"unsafe"

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

// The Go runtime ends a program when it can get no thread or no memory, and
// both may be so between the program's ids and limits and exec. What it could
// want until then it is made to get before.

// reserve has the heap grow by what exec copies; once freed it is used again
// before more is asked for.
func reserve(argv, env []string) {
	const slack = 256 << 10
	size := slack
	for _, words := range [][]string{argv, env} {
		for _, word := range words {
			size += len(word) + 1 + int(unsafe.Sizeof(uintptr(0)))
		}
	}
	runtime.KeepAlive(make([]byte, 2*size))
	runtime.GC()
}

// parkThreads has threads made for all that one processor (GOMAXPROCS=1) can
// run while this thread is in a system call or preempted: idle ones are kept.
func parkThreads() {
	const threads = 2
	var begun, over sync.WaitGroup
	release := make(chan struct{})
	begun.Add(threads)
	for range threads {
		over.Go(func() {
			runtime.LockOSThread()
			begun.Done()
			<-release
			runtime.UnlockOSThread()
		})
	}
	begun.Wait()
	close(release)
	over.Wait()
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
