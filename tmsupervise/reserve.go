package main

import (
	"runtime"
	"sync"
	"unsafe"
)

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
