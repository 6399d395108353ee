package proto

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const testSecret = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
const testReadonly = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// serve runs a server with the handler until the test ends.
func serve(t *testing.T, handle func(*Request), change ...func(*Server)) (addr string, s *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &Server{
		Auth:     func() string { return "secret" },
		Secret:   func() string { return testSecret },
		Readonly: func() string { return testReadonly },
		Handle:   handle,
	}
	for _, f := range change {
		f(s)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String(), s
}

func noAuth(s *Server) { s.Auth = func() string { return "none" } }

// echo answers each request with its words.
func echo(r *Request) {
	for _, a := range r.Args {
		r.Answer(a)
	}
	r.OK(r.Verb)
}

// A raw is a client that speaks the protocol by hand.
type raw struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return &raw{t, c, bufio.NewReader(c)}
}

func (c *raw) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *raw) line() string {
	c.t.Helper()
	text, err := c.in.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading a line: %q, %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

func (c *raw) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.line(); got != w {
			c.t.Fatalf("got line %q, want %q", got, w)
		}
	}
}

func (c *raw) expectClosed() {
	c.t.Helper()
	if text, err := c.in.ReadString('\n'); err != io.EOF || text != "" {
		c.t.Fatalf("got %q, %v; want the connection closed", text, err)
	}
}

// login authenticates by hand and returns the proof it sent.
func (c *raw) login(secret string) string {
	c.t.Helper()
	nonce, ok := parseChallenge(c.line())
	if !ok {
		c.t.Fatal("no challenge")
	}
	const cnonce = "0123456789abcdef0123456789abcdef"
	text := "auth " + cnonce + " " + proof(secret, "client", nonce, cnonce) + "\n"
	c.send(text)
	c.expect("+OK " + proof(secret, "server", nonce, cnonce))
	return text
}

func dialed(t *testing.T, addr, secret string) *Client {
	t.Helper()
	c, err := Dial(context.Background(), addr, secret, limit, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c
}

func TestClientAndServer(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo)
	c := dialed(t, addr, testSecret)
	for range 3 {
		var answers []string
		text, err := c.Do(context.Background(), func(r Reply) {
			answers = append(answers, string(r.Kind)+r.Text)
		}, "status", "web:0", "a b\n")
		if err != nil || text != "status" || strings.Join(answers, "|") != "=web:0|=a b%0A" {
			t.Fatalf("got %q, %q, %v", answers, text, err)
		}
	}
}

func TestClientIsToldWhy(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(r *Request) { r.Err(NoProg, "web:9: no such instance") })
	_, err := dialed(t, addr, testSecret).Do(context.Background(), nil, "start", "web:9")
	var failed *Error
	if !errors.As(err, &failed) || failed.Word != NoProg || failed.Error() != "web:9: no such instance" {
		t.Fatalf("got %v", err)
	}
}

func TestEndFromClient(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(r *Request) {
		r.Accept()
		r.Event("2026-11-22T15:12:00.000Z web:1 fatal")
		<-r.Done()
		r.OK("")
	})
	c := dialed(t, addr, testSecret)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := c.Do(ctx, func(r Reply) {
		if r.Kind == KindEvent {
			cancel()
		}
	}, "watch")
	if err != nil || ctx.Err() == nil {
		t.Fatalf("watch ended with %v, %v", err, ctx.Err())
	}
}

func TestAlive(t *testing.T) {
	t.Parallel()
	addr, s := serve(t, echo)
	c := dialed(t, addr, testSecret)
	if !c.Alive() {
		t.Fatal("a new connection is not alive")
	}
	s.Close()
	if _, err := c.Do(context.Background(), nil, "status"); err == nil {
		t.Fatal("a closed server answered")
	}
	if c.Alive() {
		t.Fatal("alive after the server closed")
	}
}

func TestDialWithoutSecret(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo)
	if _, err := Dial(context.Background(), addr, "", limit, limit); err != ErrSecret {
		t.Fatalf("got %v", err)
	}
	open, _ := serve(t, echo, noAuth)
	if _, err := dialed(t, open, "").Do(context.Background(), nil, "status"); err != nil {
		t.Fatal(err)
	}
}

// TestBusyServer has a server too busy to let anyone in for longer than
// connecting may take.
func TestBusyServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const connect = 500 * time.Millisecond
	go func() {
		time.Sleep(connect)
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		io.WriteString(client, "+OK taskmaster 1\n")
		line := bufio.NewReader(client)
		line.ReadString('\n')
		io.WriteString(client, "+OK\n")
		line.ReadString('\n')
	}()
	t.Cleanup(func() { l.Close() })
	c, err := Dial(context.Background(), l.Addr().String(), "", connect, limit)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestImpostor has something listen that accepts any proof.
func TestImpostor(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{
		"?taskmaster 1 " + strings.Repeat("0", nonceLen) + "\n+OK " + strings.Repeat("0", macLen) + "\n": ErrImpostor,
		"HTTP/1.0 400 Bad Request\r\n":       ErrProtocol,
		"?taskmaster 2 0\n":                  ErrProtocol,
		"+OK redis 1\n":                      ErrProtocol,
		"+OK taskmaster 1\n+OK\n":            ErrUnproven,
		strings.Repeat("x", MaxReply) + "\n": ErrProtocol,
		"\n":                                 ErrProtocol,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err == nil {
				io.WriteString(c, answer)
				io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		if _, err := Dial(context.Background(), l.Addr().String(), testSecret, limit, limit); err != want {
			t.Errorf("%.20q: got %v, want %v", answer, err, want)
		}
	}
}
