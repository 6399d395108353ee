package proto

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// refusals collects what Denied is told.
type refusals struct {
	mu      sync.Mutex
	reasons []string
}

func (r *refusals) add(peer, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = append(r.reasons, reason)
}

func (r *refusals) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.reasons...)
}

// TestGreeting sends what is not the greeting of a client: one -ERR denied,
// nothing else, closed.
func TestGreeting(t *testing.T) {
	t.Parallel()
	good := "auth " + strings.Repeat("0", nonceLen) + " " + strings.Repeat("0", macLen) + "\n"
	lines := map[string]string{
		"wrong proof":     good,
		"HTTP":            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nstatus\n",
		"TLS":             "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
		"NUL":             "auth \x00\n",
		"empty":           "\n",
		"request":         "status\n",
		"hello":           "hello 1\n",
		"upper case":      strings.ToUpper(good),
		"carriage return": strings.Replace(good, "\n", "\r\n", 1),
		"two spaces":      strings.Replace(good, "auth ", "auth  ", 1),
		"space at end":    strings.Replace(good, "\n", " \n", 1),
		"short":           strings.Replace(good, "00 ", "0 ", 1),
		"too long":        strings.Repeat("x", MaxGreeting) + "\n",
		"no newline":      strings.Repeat("x", 10*MaxGreeting),
	}
	for name, text := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var denied refusals
			addr, s := serve(t, echo, func(s *Server) { s.Denied = denied.add })
			c := dialRaw(t, addr)
			c.line()
			c.send(text)
			c.expect("-ERR denied")
			c.expectClosed()
			c.Close()
			s.Close()
			if got := denied.all(); len(got) != 1 {
				t.Errorf("told of %q, want one refusal", got)
			}
		})
	}
}

// TestLongestGreeting holds the limit itself: 1024 bytes with the newline.
func TestLongestGreeting(t *testing.T) {
	t.Parallel()
	var denied refusals
	addr, s := serve(t, echo, func(s *Server) { s.Denied = denied.add })
	c := dialRaw(t, addr)
	c.line()
	c.send(strings.Repeat("x", MaxGreeting-1) + "\n")
	c.expect("-ERR denied")
	c.Close()
	s.Close()
	if got := denied.all(); len(got) != 1 || got[0] != "not the greeting of a client" {
		t.Errorf("told of %q", got)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo)
	first := dialRaw(t, addr)
	proof := first.login(testSecret)
	second := dialRaw(t, addr)
	second.line()
	second.send(proof)
	second.expect("-ERR denied")
	second.expectClosed()
}

// TestPipelinedGreeting sends the first request in one piece with the proof.
func TestPipelinedGreeting(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo, noAuth)
	c := dialRaw(t, addr)
	c.send("hello 1\nstatus web\n")
	c.expect("+OK taskmaster 1", "+OK", "=web", "+OK status")
}

func TestNoAuth(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo, noAuth)
	for _, bad := range []string{"", "POST / HTTP/1.1", "hello 2", "hello 1 ", "status"} {
		c := dialRaw(t, addr)
		c.expect("+OK taskmaster 1")
		c.send(bad + "\nstatus\n")
		c.expect("-ERR denied")
		c.expectClosed()
	}
	// After hello any bad line closes, also an empty one.
	for _, bad := range []string{"", "Host: 127.0.0.1", "a%zz", "stat\x01us"} {
		c := dialRaw(t, addr)
		c.expect("+OK taskmaster 1")
		c.send("hello 1\nstatus\n" + bad + "\nstatus\n")
		c.expect("+OK", "+OK status")
		if got := c.line(); !strings.HasPrefix(got, "-ERR bad") {
			t.Errorf("%q: got %q", bad, got)
		}
		c.expectClosed()
	}
}

func TestNoSecretLetsNobodyIn(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo, func(s *Server) {
		s.Secret = func() string { return "" }
		s.Readonly = func() string { return "" }
	})
	c := dialRaw(t, addr)
	nonce, _ := parseChallenge(c.line())
	cnonce := strings.Repeat("a", nonceLen)
	c.send("auth " + cnonce + " " + proof("", "client", nonce, cnonce) + "\n")
	c.expect("-ERR denied")
}

func TestRekey(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	secret := testSecret
	addr, _ := serve(t, echo, func(s *Server) {
		s.Secret = func() string { mu.Lock(); defer mu.Unlock(); return secret }
	})
	old := dialRaw(t, addr)
	old.login(testSecret)
	mu.Lock()
	secret = NewSecret()
	fresh := secret
	mu.Unlock()
	dialRaw(t, addr).login(fresh)
	if _, err := Dial(context.Background(), addr, testSecret, limit, limit); err == nil {
		t.Error("the old secret still lets in")
	}
	old.send("status\n")
	old.expect("+OK status")
}

func TestReadonly(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(r *Request) {
		if !r.ReadOnly {
			t.Errorf("%s: not marked as read-only", r.Verb)
		}
		r.OK("")
	})
	c := dialRaw(t, addr)
	c.login(testReadonly)
	allowed := strings.Fields("status tail log watch pid show version help usage")
	for _, verb := range Verbs() {
		c.send(verb + "\n")
		want := "-ERR denied " + verb + " is not for the read-only secret"
		for _, a := range allowed {
			if a == verb {
				want = "+OK"
			}
		}
		c.expect(want)
	}
}

// TestDeadline has clients that say nothing, and one that says a byte now and
// then: all are gone 5 seconds after they came.
func TestDeadline(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, echo)
	silent, slow := dialRaw(t, addr), dialRaw(t, addr)
	silent.line()
	slow.line()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if _, err := io.WriteString(slow, "a"); err != nil {
					return
				}
			}
		}
	}()
	for _, c := range []*raw{silent, slow} {
		c.expect("-ERR denied")
	}
}

// TestFlood opens many more connections than may wait and keeps them silent.
// Those let in before and a new honest client are not kept out.
func TestFlood(t *testing.T) {
	t.Parallel()
	var denied refusals
	addr, s := serve(t, echo, func(s *Server) { s.Denied = denied.add })
	before := dialed(t, addr, testSecret)
	for range 3 * MaxUnauthenticated {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	after := dialed(t, addr, testSecret)
	for _, c := range []*Client{before, after} {
		if _, err := c.Do(t.Context(), nil, "status"); err != nil {
			t.Error(err)
		}
	}
	s.mu.Lock()
	waiting := len(s.waiting)
	s.mu.Unlock()
	if waiting > MaxUnauthenticated {
		t.Errorf("%d clients wait", waiting)
	}
	if n := len(denied.all()); n == 0 || n > 10 {
		t.Errorf("told of %d refusals, want about one a second", n)
	}
}

// TestMaxClients fills all places with clients that were let in.
func TestMaxClients(t *testing.T) {
	t.Parallel()
	addr, s := serve(t, echo, noAuth)
	clients := make([]*raw, MaxClients)
	for i := range clients {
		clients[i] = dialRaw(t, addr)
		clients[i].expect("+OK taskmaster 1")
		clients[i].send("hello 1\n")
		clients[i].expect("+OK")
	}
	dialRaw(t, addr).expect("-ERR busy too many clients")
	if _, err := Dial(context.Background(), addr, "", limit, limit); err == nil || err.Error() != "too many clients" {
		t.Errorf("one too many: %v", err)
	}
	clients[7].send("status\n")
	clients[7].expect("+OK status")
	clients[0].Close()
	awaitCount(t, s, MaxClients-1)
	dialed(t, addr, "")
}

func awaitCount(t *testing.T, s *Server, want int) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		s.mu.Lock()
		got := len(s.clients)
		s.mu.Unlock()
		if got <= want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d clients, want %d", got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestReadSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", testSecret+"\n", 0o600)
	if got, err := ReadSecret(good); err != nil || got != testSecret {
		t.Fatalf("got %q, %v", got, err)
	}
	for path, want := range map[string]string{
		write("group", testSecret+"\n", 0o640):                  "open to others (mode 0640), it must be 0600",
		write("world", testSecret+"\n", 0o604):                  "open to others (mode 0604), it must be 0600",
		write("bare", testSecret, 0o600):                        "not a secret file",
		write("long", testSecret+"\n\n", 0o600):                 "not a secret file",
		write("upper", strings.ToUpper(testSecret)+"\n", 0o600): "not a secret file",
		write("empty", "", 0o600):                               "not a secret file",
		write("windows", testSecret[:63]+"\r\n", 0o600):         "not a secret file",
		filepath.Join(dir, "nowhere"):                           "no such file",
		dir:                                                     "not a regular file",
	} {
		_, err := ReadSecret(path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		} else if strings.Contains(err.Error(), testSecret[:16]) {
			t.Errorf("%s: the error tells the secret: %v", path, err)
		}
	}
}
