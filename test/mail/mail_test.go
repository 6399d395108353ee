// Package mail_test lets tmmail mail through a real mail server, Exim, into
// maildirs, and reads what arrived.
package mail_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var program string // the tmmail under test

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tmmail")
	if err == nil {
		program = filepath.Join(dir, "tmmail")
		out, err2 := exec.Command("go", "build", "-o", program, "taskmaster/tmmail").CombinedOutput()
		os.Stderr.Write(out)
		err = err2
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// A tmmail is one at work, fed through a FIFO that outlives it, as tmd does.
type tmmail struct {
	t     *testing.T
	fifo  *os.File
	spool string
	args  []string
	env   []string
	cmd   *exec.Cmd
	said  *os.File // its standard error
}

func start(t *testing.T, e *exim, args ...string) *tmmail {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mail")
	must(t, syscall.Mkfifo(path, 0o600))
	fifo, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	must(t, err)
	t.Cleanup(func() { fifo.Close() })
	m := &tmmail{t: t, fifo: fifo, spool: filepath.Join(t.TempDir(), "spool")}
	m.said, err = os.Create(filepath.Join(t.TempDir(), "said"))
	must(t, err)
	t.Cleanup(func() { m.said.Close() })
	m.args = append([]string{"-S", m.spool, "-f", "taskmaster@example.org", "-g", "0.2"}, args...)
	m.env = append(os.Environ(), "SSL_CERT_FILE="+e.Cert, "TZ=UTC")
	m.start()
	return m
}

func (m *tmmail) start() {
	m.t.Helper()
	m.cmd = exec.Command(program, m.args...)
	m.cmd.Stdin, m.cmd.Stderr, m.cmd.Env = m.fifo, m.said, m.env
	must(m.t, m.cmd.Start())
	m.t.Cleanup(func() { m.cmd.Process.Kill(); m.cmd.Wait() })
}

// stop ends it with a signal, waits, and returns the exit code.
func (m *tmmail) stop(sig syscall.Signal) int {
	m.cmd.Process.Signal(sig)
	m.cmd.Wait()
	return m.cmd.ProcessState.ExitCode()
}

func (m *tmmail) say(format string, args ...any) {
	m.t.Helper()
	must(m.t, m.fifo.SetWriteDeadline(time.Now().Add(30*time.Second)))
	stamp := time.Now().UTC().Format("2006-01-02T15:04:05.000Z ")
	_, err := fmt.Fprintf(m.fifo, stamp+format+"\n", args...)
	must(m.t, err)
}

// complaints returns what it has written to standard error.
func (m *tmmail) complaints() string {
	text, err := os.ReadFile(m.said.Name())
	must(m.t, err)
	return string(text)
}

func (m *tmmail) names(sub string) []string {
	files, _ := filepath.Glob(filepath.Join(m.spool, sub, "*"))
	return files
}

// once runs a tmmail on all of its input and returns what it printed and its
// exit code.
func once(t *testing.T, e *exim, input string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"-S", filepath.Join(t.TempDir(), "spool"), "-f", "taskmaster@example.org"}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+e.Cert)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

const exit1 = "2026-11-22T15:10:44.002Z web:0 exited pid=4312 code=1 expected=no uptime=4055.877 left=0\n"

// read parses a mail back and returns its subject and text decoded.
func read(t *testing.T, text []byte) (subject, body string, head mail.Header) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(text))
	must(t, err)
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	must(t, err)
	content, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	must(t, err)
	return subject, string(content), m.Header
}

func TestServerDownAtFirst(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	m := start(t, e, "-t", "ops@example.org", "-s", "localhost:1")
	m.say("web:0 exited pid=4312 code=1 expected=no uptime=2 left=0")
	until(t, "a mail in the queue", func() bool { return len(m.names("queue")) == 1 })
	if code := m.stop(syscall.SIGTERM); code != 111 {
		t.Errorf("SIGTERM with a mail in the spool: exit %d, want 111", code)
	}
	m.args = append(m.args, "-s", e.Plain)
	m.start()
	subject, _, _ := read(t, e.wait(t, "ops", 1)[0])
	if !strings.Contains(subject, "web:0 exited 1") {
		t.Errorf("subject %q", subject)
	}
	until(t, "an empty queue", func() bool { return len(m.names("queue")) == 0 })
	if code := m.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM with an empty spool: exit %d, want 0", code)
	}
}

func TestGreylistingAndAlarm(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	m := start(t, e, "-t", "grey@example.org,ops@example.org,nobody@example.org", "-s", e.Plain)
	m.say("web:0 fatal try=4 reason=cannot%%20execute%%20/usr/bin/web:%%20no%%20such%%20file")
	e.wait(t, "ops", 1)
	until(t, "the refused recipient in failed", func() bool { return len(m.names("failed")) == 1 })
	refused, err := os.ReadFile(m.names("failed")[0])
	must(t, err)
	if !bytes.Contains(refused, []byte("why nobody@example.org:%20RCPT%20TO%20nobody@example.org:%20550")) {
		t.Errorf("failed/ does not hold the server's words:\n%s", refused)
	}
	must(t, os.WriteFile(filepath.Join(e.dir, "known"), nil, 0o644))
	until(t, "grey has its mail", func() bool {
		m.cmd.Process.Signal(syscall.SIGALRM)
		return len(e.mails("grey")) > 0
	})
	e.wait(t, "grey", 1)
	e.wait(t, "ops", 1) // it got no second copy
	until(t, "an empty queue", func() bool { return len(m.names("queue")) == 0 })
}

func TestStartTLSAndPassword(t *testing.T) {
	t.Parallel()
	e := startExim(t, true)
	password := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(password, []byte("hunter2\n"), 0o600))
	for _, c := range []struct{ server, tls string }{{e.Plain, "starttls"}, {e.TLS, "tls"}} {
		out, code := once(t, e, "", "-t", "ops@example.org", "-s", c.server, "-tls", c.tls, "-u", "u", "-p", password, "-test")
		if code != 0 || !regexp.MustCompile(`(?s)connected to 127.0.0.1.*TLS 1.3, certificate of localhost verified.*logged in as u by PLAIN.*ops@example.org accepted.*the server took the mail.*ops@example.org: sent`).MatchString(out) {
			t.Errorf("%s: exit %d:\n%s", c.tls, code, out)
		}
	}
	for _, text := range e.wait(t, "ops", 2) {
		if !regexp.MustCompile(`with esmtpsa\s+\(TLS1`).Match(text) {
			t.Errorf("did not come over TLS with a login:\n%s", text)
		}
	}
	must(t, os.WriteFile(password, []byte("hunter3\n"), 0o600))
	out, code := once(t, e, "", "-t", "ops@example.org", "-s", e.Plain, "-tls", "starttls", "-u", "u", "-p", password, "-test")
	if code != 100 || !strings.Contains(out, "AUTH PLAIN: 535") || strings.Contains(out, "hunter3") {
		t.Errorf("wrong password: exit %d:\n%s", code, out)
	}
}

func TestNoClearTextWhenTLSIsRequired(t *testing.T) {
	t.Parallel()
	plain, other := startExim(t, false), startExim(t, true)
	out, code := once(t, plain, exit1, "-t", "ops@example.org", "-s", plain.Plain, "-tls", "starttls")
	if code != 111 || !strings.Contains(out, "does not offer STARTTLS") {
		t.Errorf("STARTTLS missing: exit %d: %s", code, out)
	}
	// plain's certificate does not vouch for the other server.
	out, code = once(t, plain, exit1, "-t", "ops@example.org", "-s", other.Plain, "-tls", "starttls")
	if code != 111 || !strings.Contains(out, "certificate signed by unknown authority") {
		t.Errorf("certificate unknown: exit %d: %s", code, out)
	}
	if n := len(plain.mails("ops")) + len(other.mails("ops")); n != 0 {
		t.Errorf("%d mails went out all the same", n)
	}
}

func TestStorm(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	m := start(t, e, "-t", "ops@example.org", "-s", e.Plain, "-g", "4", "-m", "5")
	for i := range 1000 {
		m.say("p%d:%d exited pid=%d code=3 expected=no uptime=2 left=0", i%20, i/20%5, 1000+i)
	}
	m.say("p0:0 stopping")
	mails := e.wait(t, "ops", 5)
	events := 0
	held := ""
	for _, text := range mails {
		subject, body, _ := read(t, text)
		for _, n := range regexp.MustCompile(`(?m)^(\d+) events?:$`).FindAllStringSubmatch(body, -1) {
			var count int
			fmt.Sscan(n[1], &count)
			events += count
		}
		if strings.Contains(subject, "held back") {
			held = subject + "\n" + body
		}
	}
	if events != 1001 {
		t.Errorf("the mails tell of %d events, want 1001", events)
	}
	if !strings.Contains(held, "news of 16 programs") || !strings.Contains(held, "16 mails were held back") {
		t.Errorf("no mail says how many were held back: %s", held)
	}
}

func TestKilledOverAndOver(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	m := start(t, e, "-t", "ops@example.org", "-s", e.Plain, "-g", "3600")
	const total = 400
	for i := range total {
		m.say("web:%d exited pid=%d code=1 expected=no uptime=2 left=0", i%3, 1000+i)
		if i%20 == 19 {
			m.stop(syscall.SIGKILL)
			m.start()
		}
	}
	m.stop(syscall.SIGKILL)
	m.args = append(m.args, "-g", "0")
	m.start()
	_, body, _ := read(t, e.wait(t, "ops", 1)[0])
	if !strings.Contains(body, fmt.Sprintf("\n%d events:\n", total)) {
		t.Errorf("killed 21 times, the mail does not tell of %d events:\n%s", total, body)
	}
}

func TestRecovered(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	m := start(t, e, "-t", "ops@example.org", "-s", e.Plain, "-i", "0.1")
	m.say("web:0 exited pid=4312 code=1 expected=no uptime=2 left=0")
	e.wait(t, "ops", 1)
	until(t, "an empty queue", func() bool { return len(m.names("queue")) == 0 })
	m.stop(syscall.SIGKILL) // it remembers whom it reported
	m.start()
	m.say("web:0 starting pid=4400 try=1 cause=user")
	m.say("web:0 running pid=4400")
	m.say("db:0 running pid=4401")
	found := false
	for _, text := range e.wait(t, "ops", 2) {
		subject, _, _ := read(t, text)
		found = found || strings.HasSuffix(subject, "] web:0 recovered")
	}
	if !found {
		t.Error("no mail says that web:0 recovered")
	}
}

func TestInjection(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	evil := "x%0D%0ABcc:%20dev@example.org%0D%0A%0D%0A.%0D%0AMAIL%20FROM:<a@b>"
	out, code := once(t, e, "2026-11-22T15:10:44.002Z "+evil+":0 fatal try=4 reason="+evil+"\n", "-t", "ops@example.org", "-s", e.Plain)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	_, body, head := read(t, e.wait(t, "ops", 1)[0])
	if head.Get("Bcc") != "" || !strings.Contains(body, `x\x0d\x0aBcc: dev@example.org`) {
		t.Errorf("headers %v\n%s", head, body)
	}
	if mails := e.mails("dev"); mails != nil {
		t.Errorf("a program's name added a recipient: %s", mails)
	}
}
