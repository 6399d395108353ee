package main

import (
	"os"
	"os/signal"
	"time"

	"taskmaster/lib/cleansig"
	"taskmaster/lib/die"
	"taskmaster/lib/samesignal"

	"golang.org/x/sys/unix"
)

// runAlone keeps the process that the command line describes. Event lines go
// to standard output, so the program's own output goes, unless -o and -e say
// otherwise, to standard error.
func runAlone(args []string) {
	if err := cleansig.Ensure(unix.SIGHUP); err != nil {
		die.Fatal(die.Temporary, "unable to reset signals", err)
	}
	s := parseOptions(args)
	die.About = s.Name
	beKeeper()
	h := newHelper()
	h.spec = s
	h.moveStandard()
	h.out = sink{fd: h.stdio[0], name: s.Name, poll: true}
	h.stdio[0] = h.stdio[1]
	h.openCommands()
	h.openSignals()
	h.asked = "boot"
	h.step(start)
	h.leaveUncommanded()
	h.loop()
	if h.state == fatal {
		os.Exit(die.Temporary)
	}
}

// openCommands takes commands from standard input when that is a pipe.
func (h *helper) openCommands() {
	var st unix.Stat_t
	if unix.Fstat(0, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return
	}
	// Opened anew, so that O_NONBLOCK is ours and not that of whoever shares
	// the pipe.
	fd, err := unix.Open("/proc/self/fd/0", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		h.control = fd
	}
}

// leaveUncommanded ends a helper alone that nobody can tell to start the
// program again: in EXITED and FATAL, or STOPPED, once commands have ended.
func (h *helper) leaveUncommanded() {
	if h.dir == "" && h.control < 0 {
		h.uncommanded = true
		if h.state == exited || h.state == fatal || h.state == stopped {
			h.done = true
		}
	}
}

// openSignals turns signals into bytes on a pipe that the loop polls. Only a
// helper alone needs them, and os/signal costs nothing until it is used.
func (h *helper) openSignals() {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		die.Fatal(die.Temporary, "unable to make a pipe", err)
	}
	h.word = pipe[0]
	// Whoever started us by nohup(1) wants us to outlive the terminal. It is
	// caught all the same, so that the program does not inherit it ignored.
	nohup := signal.Ignored(unix.SIGHUP)
	told := make(chan os.Signal, 4)
	signal.Notify(told, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP)
	go func() {
		var seen samesignal.Filter
		for sig := range told {
			if nohup && sig == unix.SIGHUP || seen.Repeats(sig, time.Now()) {
				continue
			}
			unix.Write(pipe[1], []byte{1})
		}
	}()
}

// readSignals: the first signal stops the program and then the helper, any
// further one does not wait for the program to wind down.
func (h *helper) readSignals() {
	var buf [16]byte
	n, _ := unix.Read(h.word, buf[:])
	for range max(n, 0) {
		if h.leaving {
			h.step(kill)
		} else {
			h.step(finish)
		}
	}
}
