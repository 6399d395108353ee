package main

import (
	"strings"
	"testing"

	"taskmaster/lib/die"
	"taskmaster/lib/line"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// inTheatre is a helper whose machine plays in a theatre: commands are taken as
// they are, and start nothing.
func inTheatre(f interface{ Fatal(...any) }) (*helper, *theatre) {
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	h := &helper{control: null, word: -1, pidfd: -1, stage: -1, beat: readiness{fd: -1}}
	h.out.fd = null
	th := newTheatre()
	h.machine, h.effects = *th.machine, th
	th.machine = &h.machine
	return h, th
}

// FuzzCommands holds that no bytes in a control FIFO, in whatever pieces they
// come, make a helper panic, end, or leave the states that there are; and that
// it obeys as before afterwards.
func FuzzCommands(f *testing.F) {
	die.Stderr = -1 // its warnings go nowhere
	f.Add([]byte("start seq=1 cause=boot\nready\nstop seq=2\n"), 7)
	f.Add([]byte("restart\nkill\nexit\nsick unhealthy\npending a%20b\nreload\n"), 1)
	f.Add([]byte("signal TERM\nsignal 9\nreaped 1 256\nsignal\nreaped\n"), 512)
	f.Add([]byte("stop seq=-1\nstop seq=99999999999999999999\nstart seq=\nstart %\n\n \n"), 3)
	f.Add([]byte(strings.Repeat("x", 5000)+"\nstart\n"), 4096)
	f.Fuzz(func(t *testing.T, text []byte, piece int) {
		h, th := inTheatre(t)
		defer unix.Close(h.out.fd)
		for piece = max(piece, 1); len(text) > 0; text = text[min(piece, len(text)):] {
			h.commands.Push(text[:min(piece, len(text))], h.command)
			if h.state >= numStates || h.pid != 0 && h.state == stopped {
				t.Fatalf("state %d, pid %d", h.state, h.pid)
			}
		}
		h.commands.Push([]byte("\n"), h.command) // ends an unfinished line
		h.done = false                           // by `exit`, it may be
		h.command([]byte("stop"))
		if h.state == stopping {
			th.dies(ending{known: true})
		}
		if h.wish != statedir.WishDown || h.state != stopped {
			t.Fatalf("stop is not heeded: %s, wish %s", h.state, h.wish)
		}
	})
}

// FuzzNotify holds the same for what a program says by sd_notify(3), and that
// all it says stays within one word of a status.
func FuzzNotify(f *testing.F) {
	die.Stderr = -1
	f.Add("READY=1\nSTATUS=up and running\nWATCHDOG=1")
	f.Add("WATCHDOG=trigger\nSTOPPING=1\nMAINPID=1\nFDSTORE=1\nERRNO=2")
	f.Add("STATUS=\x1b]0;x\x07 a=b\r\x00\n=\n==\nREADY\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, _ := inTheatre(t)
		defer unix.Close(h.out.fd)
		h.spec.Ready.Kind = spec.SdNotify
		h.command([]byte("start"))
		h.beat.kind = spec.SdNotify
		h.notified(text)
		if h.state != starting && h.state != running && h.state != stopping {
			t.Fatalf("%q led to %s", text, h.state)
		}
		status := statedir.Status{Detail: h.beat.text}
		shown := " detail=" + line.Encode(h.beat.text[:min(len(h.beat.text), 800)]) + " v="
		if written := string(status.Line()); strings.Count(written, "\n") != 1 || !strings.Contains(written, shown) {
			t.Fatalf("%q is written as %q", h.beat.text, written)
		}
	})
}

// FuzzStageReport holds that a report of the exec stage, whose end names paths
// of the configuration, is put into words whatever it is.
func FuzzStageReport(f *testing.F) {
	f.Add("exec 2 /bin/x\n")
	f.Add("open 40 /var/log/a b\n")
	f.Add("limit 22 nofile\n")
	f.Add("find -1 ")
	f.Fuzz(func(t *testing.T, text string) {
		h, _ := inTheatre(t)
		defer unix.Close(h.out.fd)
		h.report = []byte(text)
		if end := h.stageFailure(); end == nil {
			t.Fatal("no ending")
		}
	})
}
