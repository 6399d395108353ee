package main

import (
	"fmt"
	"strings"
	"testing"

	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// While nobody reads, the sink keeps the last events, drops and counts those
// before, and says so first when there is room again; it never blocks, whether
// the descriptor may or not.
func TestSink(t *testing.T) {
	t.Parallel()
	for _, flags := range []int{0, unix.O_NONBLOCK} {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], flags); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pipe[0])
		defer unix.Close(pipe[1])
		unix.SetNonblock(pipe[0], false)
		s := sink{fd: pipe[1], name: "x:0", poll: flags == 0}
		for s.n == 0 {
			s.send([]byte(strings.Repeat("a", 255) + "\n"))
		}
		for i := range keptEvents + 11 {
			s.send(fmt.Appendf(nil, "event %d\n", i))
		}
		if s.wanted() != pipe[1] || s.n != keptEvents || s.lost != 12 {
			t.Errorf("flags %x: %d kept, %d lost", flags, s.n, s.lost)
		}
		readAll(t, pipe[0], 1)
		s.flush()
		lines := strings.Split(readAll(t, pipe[0], 1), "\n")
		first, err := event.Parse(lines[0])
		if err != nil || first.Kind != event.Lost || first.Get("n") != "12" || first.Name != "x:0" {
			t.Errorf("flags %x: %v, %q", flags, err, lines[0])
		}
		if len(lines) != keptEvents+2 || lines[1] != "event 11" || lines[keptEvents] != "event 18" {
			t.Errorf("flags %x: %q", flags, lines)
		}
		if s.wanted() != -1 {
			t.Errorf("flags %x: something is still kept", flags)
		}
	}
}

// readAll reads at least so many bytes.
func readAll(t *testing.T, fd, least int) string {
	t.Helper()
	var text []byte
	for len(text) < least {
		buf := make([]byte, 1<<16)
		n, err := unix.Read(fd, buf)
		if err != nil || n == 0 {
			t.Fatalf("read: %d, %v", n, err)
		}
		text = append(text, buf[:n]...)
	}
	return string(text)
}
