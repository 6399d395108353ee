package main

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A restorer puts the terminal back, however tmctl ends but by SIGKILL.
type restorer struct {
	mu      sync.Mutex
	undo    []func() // in the order in which the terminal was changed
	signals chan os.Signal
}

// changed notes how to undo a change of the terminal. The function returned
// undoes it, once.
func (r *restorer) changed(undo func()) (restore func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.signals == nil {
		r.signals = make(chan os.Signal, 1)
		for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
			if !signal.Ignored(sig) { // as nohup(1) has it
				signal.Notify(r.signals, sig)
			}
		}
		go r.await()
	}
	r.undo = append(r.undo, undo)
	depth := len(r.undo)
	return func() { r.back(depth - 1) }
}

// back undoes the changes after the first depth ones, the last first.
func (r *restorer) back(depth int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if depth >= len(r.undo) {
		return
	}
	for _, undo := range slices.Backward(r.undo[depth:]) {
		undo()
	}
	r.undo = r.undo[:depth]
}

// onPanic, deferred by a goroutine, undoes everything before a panic ends
// tmctl.
func (r *restorer) onPanic() {
	if cause := recover(); cause != nil {
		r.back(0)
		panic(cause)
	}
}

// await undoes everything when a signal is to end tmctl, and lets it.
func (r *restorer) await() {
	sig := <-r.signals
	// liner may be about to set the terminal for the next prompt. It knows it
	// as descriptor 0 only, and must not find it there any more.
	if null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		unix.Dup3(null, 0, 0)
	}
	r.back(0)
	if sig == syscall.SIGQUIT {
		os.Exit(128 + int(syscall.SIGQUIT)) // Go's own way prints all stacks
	}
	signal.Reset(sig)
	syscall.Kill(os.Getpid(), sig.(syscall.Signal))
}
