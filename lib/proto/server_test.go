package proto

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"taskmaster/lib/event"
)

// TestPipelined sends many requests at once; the replies come in their order,
// and none is refused, since each comes to its end by itself.
func TestPipelined(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo, func(s *Server) { s.maxHeldUp = 1 })
	c := dialRaw(t, addr)
	c.login(testSecret)
	const n = 10 * MaxPipelined
	go func() {
		for i := range n {
			fmt.Fprintf(c, "status %d\n\n", i)
		}
	}()
	for i := range n {
		c.expect("="+strconv.Itoa(i), "+OK status", "-ERR bad empty request")
	}
}

// TestHalfClosed sends requests and the end of input: all are answered.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo)
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("status a\nstatus b\n")
	c.Conn.(*net.TCPConn).CloseWrite()
	c.expect("=a", "+OK status", "=b", "+OK status")
	c.expectClosed()
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo)
	c := dialRaw(t, addr)
	c.login(testSecret)
	for text, want := range map[string]string{
		"":                "-ERR bad empty request",
		"   ":             "-ERR bad empty request",
		"status %zz":      "-ERR bad bad percent-encoding",
		"status %4":       "-ERR bad bad percent-encoding",
		"frob%0anicate x": "-ERR bad unknown request frob%0Anicate",
		"status\ta":       "-ERR bad a byte that must be percent-encoded",
		"status \x00":     "-ERR bad a byte that must be percent-encoded",
		"status \xff":     "-ERR bad a byte that must be percent-encoded",
		"status a\r":      "-ERR bad a byte that must be percent-encoded",
		"hello 1":         "-ERR bad unknown request hello",
		"end now":         "-ERR bad unknown request end",
	} {
		c.send(text + "\n")
		c.expect(want)
	}
	// The connection stays. Control characters in an answer are encoded.
	c.send("status a%0a%1bb  c=d%25\n")
	c.expect("=a%0A%1Bb", "=c=d%", "+OK status")
}

func TestLongestRequest(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(r *Request) { r.OK(strconv.Itoa(len(r.Line))) })
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("status " + strings.Repeat("x", MaxRequest-len("status \n")) + "\n")
	c.expect("+OK " + strconv.Itoa(MaxRequest-1))
	c.send("status\nstatus " + strings.Repeat("x", MaxRequest-len("status ")) + "\nstatus\n")
	c.expect("+OK 6", "-ERR bad line too long")
	c.expectClosed()
}

// TestEnd ends what streams and what waits; for what is answered already it
// does nothing.
func TestEnd(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(r *Request) {
		switch r.Verb {
		case "watch":
			r.Accept()
			r.Event("an event")
			<-r.Done()
			r.OK("")
		case "start":
			r.Answer("waiting")
			<-r.Done()
			r.Err(State, "ended")
		default:
			r.OK(r.Verb)
		}
	})
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("end\nstatus\nend\n")
	c.expect("+OK status")
	c.send("watch\n")
	c.expect("+OK", "*an event")
	c.send("end\n")
	c.expect("+OK")
	c.send("start\n")
	c.expect("=waiting")
	c.send("end\nversion\n")
	c.expect("-ERR state ended", "+OK version")
	// All at once: `end` ends what came before it.
	c.send("watch\nstart\nend\nend\nversion\n")
	c.expect("+OK", "*an event", "+OK", "=waiting", "-ERR state ended", "+OK version")
	// The end of the client is an end as well.
	c.send("start\n")
	c.expect("=waiting")
	c.Conn.(*net.TCPConn).CloseWrite()
	c.expect("-ERR state ended")
	c.expectClosed()
}

// TestOneEnd holds a handler to one last line, whatever it does.
func TestOneEnd(t *testing.T) {
	t.Parallel()
	late := make(chan *Request, 1)
	addr, _ := serve(t, func(r *Request) {
		switch r.Verb {
		case "start":
			r.OK("first")
			r.Err(State, "second")
			if r.Answer("third") || r.Event("fourth") {
				t.Error("something was sent after the end")
			}
			late <- r
		case "stop": // forgets to answer
		case "restart":
			panic("a bug")
		case "reload":
			r.Err(Bad, "two\nlines\x1b[31m")
		}
	})
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("start\nstop\nrestart\nreload\n")
	c.expect("+OK first", "-ERR bug the request was not answered",
		"-ERR bug the request was not answered", "-ERR bad two%0Alines%1B[31m")
	if r := <-late; r.Event("late") {
		t.Error("an event was sent after the reply")
	}
}

// TestSlowWatcher has one client that watches and never reads. What it costs
// is bounded, another is not delayed, and when it reads on it is told how many
// events it lost.
func TestSlowWatcher(t *testing.T) {
	t.Parallel()
	watching := make(chan *Request, 2)
	addr, _ := serve(t, func(r *Request) {
		r.Accept()
		watching <- r
		<-r.Done()
		r.OK("")
	})
	slow := dialRaw(t, addr)
	slow.login(testSecret)
	slow.send("watch\n")
	slow.expect("+OK")
	asked := <-watching

	running := event.New(time.Now(), "web:0", event.Running, "pid", "4312")
	text := running.String()
	sent, dropped := 0, 0
	for sent+dropped < 200_000 {
		if asked.Event(text) {
			sent++
		} else {
			dropped++
		}
	}
	if dropped == 0 {
		t.Fatal("everything was taken for a client that reads nothing")
	}
	out := asked.client.out
	out.mu.Lock()
	held := cap(out.pending)
	out.mu.Unlock()
	if held > 2*MaxQueued {
		t.Errorf("%d bytes are held for it", held)
	}

	quick := dialRaw(t, addr)
	quick.login(testSecret)
	quick.send("watch\n")
	quick.expect("+OK")
	other := <-watching
	other.Event(text)
	quick.expect("*" + text)

	got, lost := 0, 0
	slow.send("end\n")
	for {
		line := slow.line()
		if line == "+OK" {
			break
		}
		e, err := event.Parse(strings.TrimPrefix(line, "*"))
		switch {
		case err != nil:
			t.Fatalf("%q: %v", line, err)
		case e.Name == event.Daemon && e.Kind == event.Lost:
			lost += e.Int("n")
		default:
			got++
		}
	}
	if got != sent || lost != dropped {
		t.Errorf("got %d of %d, told of %d lost of %d", got, sent, lost, dropped)
	}
}

// TestStalledReader stops reading in the middle of an answer: it is closed
// after the write deadline, and what waited for it goes on.
func TestStalledReader(t *testing.T) {
	t.Parallel()
	ended := make(chan bool)
	addr, s := serve(t, func(r *Request) {
		for r.Answer(strings.Repeat("x", 1000)) {
		}
		ended <- true
	}, func(s *Server) { s.writeTimeout = 50 * time.Millisecond })
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("status\n")
	select {
	case <-ended:
	case <-time.After(limit):
		t.Fatal("still answering")
	}
	awaitCount(t, s, 0)
}

// TestUnreadReplies sends requests without end and reads no reply. Even the
// shortest of them do not add up.
func TestUnreadReplies(t *testing.T) {
	t.Parallel()
	addr, s := serve(t, echo, func(s *Server) { s.writeTimeout = 500 * time.Millisecond })
	c := dialRaw(t, addr)
	c.login(testSecret)
	go func() {
		many := []byte(strings.Repeat("\n", 1<<16))
		for {
			if _, err := c.Write(many); err != nil {
				return
			}
		}
	}()
	var out *output
	s.mu.Lock()
	for client := range s.clients {
		out = client.out
	}
	s.mu.Unlock()
	most, gone := 0, false
	deadline := time.Now().Add(limit)
	for !gone {
		out.mu.Lock()
		most, gone = max(most, len(out.pending)), out.failed
		out.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatal("still taken for a client that reads")
		}
		runtime.Gosched()
	}
	if most > MaxQueued+1000 {
		t.Errorf("%d bytes were kept for it", most)
	}
}

// TestLongPipelined sends the longest requests behind one that streams, as
// many as are taken: a client has no more than one of them kept for it, and
// the `end` behind that is heard.
func TestLongPipelined(t *testing.T) {
	t.Parallel()
	addr, s := serve(t, func(r *Request) {
		if r.Verb == "watch" {
			<-r.Done()
		}
		r.OK(r.Verb)
	})
	longest := "status" + strings.Repeat(" x", (MaxRequest-len("status \n"))/2) + "\n"
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("watch\n" + longest + "end\n")
	c.expect("+OK watch", "+OK status")

	greedy := dialRaw(t, addr)
	greedy.login(testSecret)
	greedy.send("watch\n")
	for err := error(nil); err == nil; { // until nobody reads it
		greedy.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		_, err = io.WriteString(greedy, longest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.mu.Lock()
		kept := 0
		for _, r := range c.requests {
			kept += len(r.Line)
		}
		c.mu.Unlock()
		if kept > MaxRequest+len("watch") {
			t.Errorf("%d bytes of requests are kept for a client", kept)
		}
	}
}

// TestClose ends the service in order: what streams gets its last line.
func TestClose(t *testing.T) {
	t.Parallel()
	started := make(chan bool)
	addr, s := serve(t, func(r *Request) {
		started <- true
		<-r.Done()
		r.OK("bye")
	})
	c := dialRaw(t, addr)
	c.login(testSecret)
	idle := dialRaw(t, addr)
	idle.login(testSecret)
	c.send("watch\n")
	<-started
	s.Close()
	c.expect("+OK bye")
	c.expectClosed()
	idle.expectClosed()
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still listening")
	}
}

// TestCloseConnecting has a client connect while the server closes: that one is
// not told that there are too many.
func TestCloseConnecting(t *testing.T) {
	t.Parallel()
	_, s := serve(t, nil)
	s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if client, err := l.Accept(); err == nil {
			s.admit(client)
		}
	}()
	if _, err := Dial(context.Background(), l.Addr().String(), testSecret, limit, limit); err != ErrClosed {
		t.Errorf("Dial: %v", err)
	}
}

// TestClosePipelined closes a server whose client pipelined more than is read
// ahead, behind a request that streams.
func TestClosePipelined(t *testing.T) {
	t.Parallel()
	addr, s := serve(t, func(r *Request) {
		if r.Verb == "watch" {
			r.Accept()
			<-r.Done()
		}
		r.OK("")
	})
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("watch\n" + strings.Repeat("status\n", 3*MaxPipelined))
	c.expect("+OK")
	s.Close()
	c.expect("+OK")
}

// TestEndPipelined ends a request that streams behind more requests than there
// is room for: those beyond are refused, each in its turn, and nobody hangs.
func TestEndPipelined(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(r *Request) {
		if r.Verb == "watch" {
			r.Accept()
			<-r.Done()
		}
		r.OK(strings.Join(r.Args, " "))
	}, func(s *Server) { s.maxHeldUp = time.Millisecond })
	c := dialRaw(t, addr)
	c.login(testSecret)
	const refused = 2 * MaxPipelined
	c.send("watch\n" + strings.Repeat("status\n", MaxPipelined-1+refused) + "end\n")
	c.expect("+OK", "+OK")
	for range MaxPipelined - 1 {
		c.expect("+OK")
	}
	for range refused {
		c.expect("-ERR busy too many requests wait behind one that is not answered yet")
	}
	c.send("status again\n")
	c.expect("+OK again")
}

// TestGonePipelined has such a client vanish: its place becomes free.
func TestGonePipelined(t *testing.T) {
	t.Parallel()
	watching := make(chan *Request, 1)
	addr, s := serve(t, func(r *Request) {
		if r.Verb == "watch" {
			r.Accept()
			watching <- r
			<-r.Done()
		}
		r.OK("")
	})
	c := dialRaw(t, addr)
	c.login(testSecret)
	c.send("watch\n" + strings.Repeat("status\n", 3*MaxPipelined))
	c.expect("+OK")
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
	r := <-watching
	for r.Event("something to write, which fails") {
		runtime.Gosched()
	}
	awaitCount(t, s, 0)
}

// TestListenAnew replaces the listener, as a reload with another `listen:`
// does; those who are connected stay.
func TestListenAnew(t *testing.T) {
	t.Parallel()
	addr, s := serve(t, echo)
	c := dialed(t, addr, testSecret)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	dialed(t, l.Addr().String(), testSecret)
	l.Close()
	if _, err := c.Do(t.Context(), nil, "status"); err != nil {
		t.Error(err)
	}
	dialed(t, addr, testSecret)
}

// A flaky listener fails to accept as accept(2) does without descriptors.
type flaky struct {
	net.Listener
	errs chan error
}

func (f *flaky) Accept() (net.Conn, error) {
	select {
	case err := <-f.errs:
		return nil, err
	default:
		return f.Listener.Accept()
	}
}

func TestExhausted(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failing := &flaky{l, make(chan error, 3)}
	failing.errs <- syscall.ECONNABORTED
	failing.errs <- &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.ENETDOWN)}
	failing.errs <- syscall.EMFILE
	s := &Server{Auth: func() string { return "none" }, Handle: echo}
	served := make(chan error, 1)
	go func() { served <- s.Serve(failing) }()
	// The one for whom there is no descriptor is told, the next is served.
	dialRaw(t, l.Addr().String()).expect("-ERR busy too many clients")
	dialed(t, l.Addr().String(), "")
	s.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestIdleCost holds what a thousand idle clients cost: one goroutine and a
// few kilobytes each, and no timer that would wake anyone.
func TestIdleCost(t *testing.T) {
	addr, s := serve(t, echo, noAuth)
	const n = 200
	before := runtime.NumGoroutine()
	for range n {
		c := dialRaw(t, addr)
		c.send("hello 1\nstatus\n")
		c.expect("+OK taskmaster 1", "+OK", "+OK status")
	}
	deadline := time.Now().Add(limit)
	for runtime.NumGoroutine() > before+n {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines for %d idle clients", runtime.NumGoroutine()-before, n)
		}
		runtime.Gosched()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.out.mu.Lock()
		if c.out.pending != nil || c.out.writing {
			t.Error("an idle client holds output")
		}
		c.out.mu.Unlock()
	}
}

// BenchmarkStatus is one `status` of 500 instances over loopback.
func BenchmarkStatus(b *testing.B) {
	status := event.New(time.Now(), "web:499", "running", "pid", "43120", "uptime", "4055.877",
		"restarts", "0", "detail", "")
	text := status.String()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{Auth: func() string { return "none" }, Handle: func(r *Request) {
		for range 500 {
			r.Answer(text)
		}
		r.OK("500")
	}}
	go s.Serve(l)
	defer s.Close()
	c, err := Dial(context.Background(), l.Addr().String(), "", limit, limit)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		lines := 0
		if _, err := c.Do(b.Context(), func(Reply) { lines++ }, "status"); err != nil || lines != 500 {
			b.Fatal(lines, err)
		}
	}
}
