package security_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"taskmaster/test/tmtest"
)

// A wire is a connection to tmd whose every byte the test chooses. It knows
// tm-protocol(7), and nothing of package proto.
type wire struct {
	t    testing.TB
	host *tmtest.Host
	net.Conn
	lines *bufio.Reader
}

// connect opens a connection and reads nothing yet.
func connect(t testing.TB, h *tmtest.Host) *wire {
	t.Helper()
	address := strings.TrimSpace(h.Read("state/address"))
	conn, err := net.DialTimeout("tcp", address, tmtest.Patience)
	if err != nil {
		t.Fatalf("unable to connect: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(tmtest.Patience))
	return &wire{t, h, conn, bufio.NewReader(conn)}
}

// line reads one line without its newline.
func (w *wire) line() string {
	w.t.Helper()
	text, err := w.lines.ReadString('\n')
	if err != nil {
		w.t.Fatalf("no line but %q: %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// rest reads to the end of the connection. One that is reset by a server that
// did not read all is ended as well.
func (w *wire) rest() string {
	w.t.Helper()
	text, err := io.ReadAll(w.lines)
	if late, ok := err.(net.Error); ok && late.Timeout() {
		w.t.Fatalf("the connection stays open after %q", text)
	}
	return string(text)
}

// send sends bytes as they are. That the other side has closed already is
// seen in what it says.
func (w *wire) send(text string) { io.WriteString(w.Conn, text) }

// nonce reads the challenge.
func (w *wire) nonce() string {
	w.t.Helper()
	challenge := w.line()
	nonce, ok := strings.CutPrefix(challenge, "?taskmaster 1 ")
	if !ok || len(nonce) != 32 {
		w.t.Fatalf("greeted with %q", challenge)
	}
	return nonce
}

// clientNonce may be always the same: it protects the client only.
const clientNonce = "0123456789abcdef0123456789abcdef"

func mac(secret, role, nonce string) string {
	sum := hmac.New(sha256.New, []byte(secret))
	io.WriteString(sum, role+" "+nonce+" "+clientNonce)
	return hex.EncodeToString(sum.Sum(nil))
}

// secretOf reads a secret file of the host.
func secretOf(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// enter authenticates and returns what the server answered.
func (w *wire) enter(secret string) (answer, serverProof string) {
	w.t.Helper()
	nonce := w.nonce()
	w.send("auth " + clientNonce + " " + mac(secret, "client", nonce) + "\n")
	return w.line(), mac(secret, "server", nonce)
}

// let connects and authenticates, or fails the test.
func let(t testing.TB, h *tmtest.Host) *wire {
	t.Helper()
	w := connect(t, h)
	if answer, proof := w.enter(secretOf(t, h.State+"/secret")); answer != "+OK "+proof {
		t.Fatalf("not let in: %q", answer)
	}
	return w
}

// ask makes a request and returns all lines of its reply.
func (w *wire) ask(request string) []string {
	w.t.Helper()
	w.send(request + "\n")
	for lines := []string(nil); ; {
		lines = append(lines, w.line())
		if last := lines[len(lines)-1]; last[0] == '+' || last[0] == '-' {
			return lines
		}
	}
}

// last is the line that ends the reply to a request.
func (w *wire) last(request string) string {
	w.t.Helper()
	lines := w.ask(request)
	return lines[len(lines)-1]
}

// impostor listens where tmd might and answers each line with the next of
// says; an empty one sends the client's last word back.
func impostor(t *testing.T, says []string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go impersonate(conn, says)
		}
	}()
	return l.Addr().String()
}

func impersonate(conn net.Conn, says []string) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	io.WriteString(conn, says[0]+"\n")
	for _, text := range says[1:] {
		if !lines.Scan() {
			return
		}
		if text == "" {
			words := strings.Fields(lines.Text())
			text = "+OK " + words[len(words)-1]
		}
		io.WriteString(conn, text+"\n")
	}
}
