package main

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/cleansig"
	"taskmaster/lib/die"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// runAlone keeps the process that the command line describes. Event lines go
// to standard output, so the program's own output goes, unless -o and -e say
// otherwise, to standard error.
func runAlone(args []string) {
	if err := cleansig.Ensure(); err != nil {
		die.Fatal(die.Temporary, "unable to reset signals", err)
	}
	s := parseOptions(args)
	h := newHelper()
	h.spec = s
	die.Name = "tmsupervise " + s.Name
	h.moveStandard()
	h.out = sink{fd: h.stdio[0], poll: true}
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
	told := make(chan os.Signal, 4)
	signal.Notify(told, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP)
	go func() {
		for range told {
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

// parseOptions reads the command line into a spec.
func parseOptions(args []string) *spec.Spec {
	s := spec.Default()
	s.Stdout.Kind, s.Stderr.Kind = spec.InheritFile, spec.InheritFile
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		letter, value := word[:2], word[2:]
		set := option(letter)
		if set == nil {
			die.UsageError("unknown option "+letter, synopsis)
		}
		if value == "" {
			if len(args) == 0 {
				die.UsageError("option "+letter+" needs a value", synopsis)
			}
			value, args = args[0], args[1:]
		}
		if !set(s, value) {
			die.UsageError("option "+letter+": bad value "+strconv.Quote(value), synopsis)
		}
	}
	if len(args) == 0 {
		die.UsageError("no command", synopsis)
	}
	s.Cmd = args
	if s.Name == "" {
		s.Name = args[0][strings.LastIndexByte(args[0], '/')+1:]
	}
	s.Program = s.Name
	s.Env = append(os.Environ(), "TM_NAME="+s.Name, "TM_PROGRAM="+s.Program, "TM_NUM=0")
	return s
}

// option returns what an option sets, and whether the value fits.
func option(letter string) func(*spec.Spec, string) bool {
	switch letter {
	case "-n":
		return func(s *spec.Spec, v string) bool { s.Name = v; return v != "" && !strings.ContainsAny(v, "/\x00") }
	case "-r":
		return func(s *spec.Spec, v string) bool {
			s.Restart = v
			return v == spec.Always || v == spec.Never || v == spec.Unexpected
		}
	case "-x":
		return setCodes
	case "-s":
		return func(s *spec.Spec, v string) bool { return setSeconds(&s.StartTime, v) }
	case "-t":
		return func(s *spec.Spec, v string) bool { return setSeconds(&s.StopTime, v) }
	case "-R":
		return setRetries
	case "-k":
		return setStopSignal
	case "-u":
		return setUmask
	case "-C":
		return func(s *spec.Spec, v string) bool { s.Dir = v; return v != "" }
	case "-o":
		return func(s *spec.Spec, v string) bool { s.Stdout = spec.Output{Kind: spec.File, Path: v}; return v != "" }
	case "-e":
		return func(s *spec.Spec, v string) bool { s.Stderr = spec.Output{Kind: spec.File, Path: v}; return v != "" }
	}
	return nil
}

func setRetries(s *spec.Spec, text string) bool {
	n, err := strconv.Atoi(text)
	s.StartRetries = n
	return err == nil && n >= 0
}

func setStopSignal(s *spec.Spec, text string) bool {
	sig, ok := parseSignal(text)
	s.StopSignal = int(sig)
	return ok
}

func setUmask(s *spec.Spec, text string) bool {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 9)
	s.Umask = int(n)
	return err == nil
}

func setCodes(s *spec.Spec, list string) bool {
	s.ExitCodes = nil
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 || n > 255 {
			return false
		}
		s.ExitCodes = append(s.ExitCodes, n)
	}
	return true
}

// setSeconds reads seconds, "2" or "0.5", or a duration, "1m30s".
func setSeconds(to *time.Duration, text string) bool {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		*to = time.Duration(n * float64(time.Second))
		return n >= 0 && n < 1e9
	}
	d, err := time.ParseDuration(text)
	*to = d
	return err == nil && d >= 0
}
