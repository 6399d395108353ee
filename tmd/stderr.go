package main

import (
	"io"
	"os"
	"os/signal"
	"time"

	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// lastMessages is how long a reader of standard error may take at the end.
const lastMessages = time.Second

// unblockStderr puts a pipe and a goroutine between tmd and its standard
// error: a terminal that was stopped with ^S, or a pager nobody scrolls, must
// not stop supervision. What the pipe has no room for is dropped. The
// returned function writes out what is left.
func unblockStderr() (flush func()) {
	// A broken pipe is then an error and not the end of tmd. Ignoring the
	// signal instead would pass on to every program.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return func() {}
	}
	written := make(chan struct{})
	go func() {
		io.Copy(os.Stderr, os.NewFile(uintptr(pipe[0]), "messages"))
		close(written)
	}()
	die.Stderr = pipe[1]
	return func() {
		die.Stderr = 2
		unix.Close(pipe[1])
		select {
		case <-written:
		case <-time.After(lastMessages):
		}
	}
}
