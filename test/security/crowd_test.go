package security_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"taskmaster/test/tmtest"
)

// A client that knows the secret gets in while 64 others that say nothing fill
// all places: before the first of them is over its time, which is 5 seconds.
func TestSilentCrowd(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	var crowd []*wire
	for range 64 {
		w := connect(t, h)
		w.nonce()
		crowd = append(crowd, w)
	}
	if got := let(t, h).last("pid"); got != "+OK 1" {
		t.Errorf("pid: %q", got)
	}
	waiting := 0
	for _, w := range crowd {
		if stillOpen(t, w) {
			waiting++
		}
	}
	if waiting != 63 {
		t.Errorf("%d of 64 are waiting still, want 63: one made room", waiting)
	}
}

// stillOpen reports whether tmd has not said a last word to a client yet.
func stillOpen(t *testing.T, w *wire) bool {
	t.Helper()
	answered := make(chan bool, 1)
	go func() {
		_, err := w.lines.Peek(1)
		answered <- err != nil || w.lines.Buffered() > 0
	}()
	over := let(t, w.host) // whose round trip tmd handles after it ended the other
	over.last("pid")
	select {
	case <-answered:
		return false
	default:
		return true
	}
}

// While a flood of connections goes on without an end, tmctl gets in all the
// same, who is in stays in, and what tmd supervises is supervised. On a busy
// machine tmctl may find tmd late, which is no reason to be kept out for ever.
func TestFlood(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	h.Await("RUNNING", "web:0")
	inside := let(t, h)
	over := make(chan struct{})
	var flood sync.WaitGroup
	defer flood.Wait()
	defer close(over)
	address := strings.TrimSpace(h.Read("state/address"))
	for range 8 {
		flood.Go(func() { connectAgainAndAgain(address, over) })
	}
	getsIn := func(args ...string) {
		t.Helper()
		tmtest.Until(t, func() bool { return h.Ctl(args...).Code == 0 }, "tmctl %v gets in", args)
	}
	for range 10 {
		getsIn("status")
	}
	if got := inside.last("pid"); got != "+OK 1" {
		t.Errorf("who was in: %q", got)
	}
	before := h.PID("web:0")
	getsIn("signal", "KILL", "web:0")
	tmtest.Until(t, func() bool { now := h.Status("web:0"); return now.State == "RUNNING" && now.PID != before },
		"web:0 runs again")
}

// connectAgainAndAgain keeps as many connections open as it can have: it drops
// the oldest of 64 for each new one.
func connectAgainAndAgain(address string, over chan struct{}) {
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	for {
		select {
		case <-over:
			return
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		if open = append(open, conn); len(open) > 64 {
			open[0].Close()
			open = open[1:]
		}
	}
}

// A thousand clients are served; who comes then is told so, and gets in when
// one leaves.
func TestThousandClients(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	var crowd []*wire
	for range 1000 {
		crowd = append(crowd, let(t, h))
	}
	late := connect(t, h)
	if got := late.rest(); got != "-ERR busy too many clients\n" {
		t.Errorf("the one too many: %q", got)
	}
	if r := h.Ctl("status"); r.Code != 111 {
		t.Errorf("tmctl: exit %d, want 111: %s", r.Code, r.Stderr)
	}
	for i, w := range crowd {
		if got := w.last("pid web:0"); got != "+OK" {
			t.Errorf("client %d: %q", i, got)
		}
	}
	crowd[0].Close()
	tmtest.Until(t, func() bool { return h.Ctl("status").Code == 0 }, "there is room for another")
}

// A watcher that never reads costs tmd no more than its queue, is told how
// many events it missed when it does, and delays neither the others nor who
// makes the events.
func TestWatchersThatNeverRead(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	d := h.Start()
	h.Await("RUNNING", "web:0")
	const watchers, rounds, requests = 20, 400, 100
	var deaf []*wire
	for range watchers {
		w := let(t, h)
		if got := w.last("watch"); got != "+OK" {
			t.Fatalf("watch: %q", got)
		}
		deaf = append(deaf, w)
	}
	attentive := let(t, h)
	attentive.last("watch command")
	heard := make(chan int)
	go func() { heard <- count(attentive, "line=signal", rounds*requests) }()
	maker := let(t, h)
	before := memory(t, d.PID())
	for range rounds {
		maker.send(strings.Repeat("signal 0 "+strings.Repeat("x", 150)+"\n", requests))
		for range requests {
			if got := maker.line(); !strings.HasPrefix(got, "-ERR") {
				t.Fatalf("signal: %q", got)
			}
		}
	}
	if got := <-heard; got != rounds*requests {
		t.Errorf("who reads heard of %d events of %d", got, rounds*requests)
	}
	// All watchers together would have 180 MB queued; measured were 18 MB, and
	// 61 MB with the race detector.
	if grown := memory(t, d.PID()) - before; grown > 120<<20 {
		t.Errorf("tmd grew by %d bytes", grown)
	} else {
		t.Logf("tmd grew by %d kB for %d watchers that do not read %d events", grown>>10, watchers, rounds*requests)
	}
	for _, w := range deaf {
		w.send("end\n")
		// One that did not read for 30 seconds has been closed instead.
		if text, ended := untilDone(w); ended && !strings.Contains(text, " tmd lost n=") {
			t.Errorf("a deaf watcher was not told what it missed: %d bytes", len(text))
		}
	}
}

// count reads lines until n of them hold a text or events were lost.
func count(w *wire, what string, n int) (found int) {
	for found < n {
		text, err := w.lines.ReadString('\n')
		if err != nil || strings.Contains(text, " tmd lost ") {
			break
		}
		if strings.Contains(text, what) {
			found++
		}
	}
	return found
}

// untilDone reads to the end of a reply, or of the connection.
func untilDone(w *wire) (text string, ended bool) {
	var all strings.Builder
	for {
		text, err := w.lines.ReadString('\n')
		all.WriteString(text)
		if err != nil || strings.HasPrefix(text, "+OK") {
			return all.String(), err == nil
		}
	}
}

// memory is what a process has of its own, in bytes.
func memory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "Private_Dirty:")
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kilobytes, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("%q: %v", number, err)
	}
	return kilobytes << 10
}

// A client that sends requests and never reads the replies holds up itself.
func TestRequestsWithoutReading(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs:\n  web: {cmd: sleep 1000, numprocs: 200, autostart: false}\n")
	d := h.Start()
	w := let(t, h)
	w.Conn.(*net.TCPConn).SetReadBuffer(4096)
	before := memory(t, d.PID())
	// tmd stops reading long before all of this is sent.
	go io.WriteString(w.Conn, strings.Repeat("status all\n", 1_000_000))
	for range 100 {
		if got := let(t, h).last("status all"); got != "+OK 200" {
			t.Fatalf("another client: %q", got)
		}
	}
	if grown := memory(t, d.PID()) - before; grown > 50<<20 {
		t.Errorf("tmd grew by %d bytes", grown)
	}
}
