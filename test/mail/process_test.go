package mail_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
)

// The outcome goes to the events FIFO as event lines, also when nobody reads
// them at the moment, and never brings a mail itself.
func TestOutcomesAreEvents(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	path := filepath.Join(t.TempDir(), "events")
	must(t, syscall.Mkfifo(path, 0o600))
	events, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer events.Close()
	m := start(t, e, "-t", "ops@example.org,grey@example.org,nobody@example.org", "-s", e.Plain)
	m.stop(syscall.SIGKILL)
	m.env = append(m.env, "TM_EVENTS="+path)
	m.start()
	m.say("tmd mail to=ops@example.org subject=x result=failed reason=y")
	m.say("web:0 fatal try=1 reason=x")
	lines := line.NewReader(events, event.Max)
	for _, want := range []string{
		"to=ops@example.org result=sent reason=",
		"to=grey@example.org result=deferred reason=RCPT TO grey@example.org: 451 greylisted, come back later, next try in ",
		"to=nobody@example.org result=failed reason=RCPT TO nobody@example.org: 550 ",
	} {
		text, err := lines.Next()
		must(t, err)
		got, err := event.Parse(string(text))
		must(t, err)
		said := fmt.Sprintf("to=%s result=%s reason=%s", got.Get("to"), got.Get("result"), got.Get("reason"))
		if got.Name != "tmd" || got.Kind != "mail" || !strings.HasPrefix(said, want) {
			t.Errorf("event %s, want %s", text, want)
		}
		if subject := got.Get("subject"); !strings.Contains(subject, "web:0 gave up: x") {
			t.Errorf("subject %q", subject)
		}
	}
	if said := m.complaints(); said != "" {
		t.Errorf("on standard error: %s", said)
	}
}

func TestEndOfInputCodes(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	spool := filepath.Join(t.TempDir(), "spool")
	for _, c := range []struct {
		input, server, to string
		code              int
		said              string
	}{
		{"", e.Plain, "ops@example.org", 0, ""},
		{"junk\n" + exit1, e.Plain, "ops@example.org", 0, "not an event line, skipped: junk"},
		{exit1, "localhost:1", "ops@example.org", 111, "connecting to localhost:1: connection refused"},
		{exit1, "localhost:1", "ops@example.org", 111, "connecting to localhost:1: connection refused"}, // the same again
		{"", e.Plain, "ops@example.org", 0, ""},                                                         // all of the spool is tried at start
		{"2026-11-22T15:10:44.002Z db:0 fatal try=1\n", e.Plain, "nobody@example.org", 0, "refused, kept as failed/"},
		{"", "localhost", "ops@example.org", 100, "is not HOST:PORT"},
	} {
		out, code := once(t, e, c.input, "-S", spool, "-t", c.to, "-s", c.server, "-i", "0")
		if code != c.code || !strings.Contains(out, c.said) {
			t.Errorf("%.20q to %s at %s: exit %d, want %d:\n%s", c.input, c.to, c.server, code, c.code, out)
		}
	}
	e.wait(t, "ops", 3)
}

func TestTestMail(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	for _, c := range []struct {
		args string
		code int
		said string
	}{
		{"-s " + e.Plain + " -t ops@example.org", 0, "ops@example.org: sent\n"},
		{"-s " + e.Plain + " -t grey@example.org", 111, "grey@example.org: not sent, may work later: RCPT TO grey@example.org: 451"},
		{"-s " + e.Plain + " -t nobody@example.org", 100, "nobody@example.org: not sent: RCPT TO nobody@example.org: 550"},
		{"-s " + e.Plain + " -t ops@example.org -tls starttls", 100, "not sent: EHLO: the server does not offer STARTTLS"},
		{"-s localhost:1 -t ops@example.org", 111, "may work later: connecting to localhost:1: connection refused"},
	} {
		out, code := once(t, e, "", append(strings.Fields(c.args), "-test")...)
		if code != c.code || !strings.Contains(out, c.said) {
			t.Errorf("%s: exit %d, want %d:\n%s", c.args, code, c.code, out)
		}
	}
}

func TestLocalSendmail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "sendmail")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\ndir=${0%/*}\necho \"$*\" >$dir/args\ncat >$dir/mail\necho no such user >&2\nexit $(cat $dir/code)\n"), 0o755))
	for _, c := range []struct {
		exit string
		code int
		said string
	}{{"0", 0, ""}, {"67", 0, "refused, kept as failed/"}, {"75", 111, "deferred: " + script + ": exit status 75: no such user"}} {
		must(t, os.WriteFile(filepath.Join(dir, "code"), []byte(c.exit), 0o644))
		out, code := once(t, &exim{}, exit1, "-t", "ops@example.org,dev@example.org", "-sendmail", script)
		if code != c.code || !strings.Contains(out, c.said) {
			t.Errorf("sendmail exits %s: exit %d, want %d:\n%s", c.exit, code, c.code, out)
		}
		args, err := os.ReadFile(filepath.Join(dir, "args"))
		must(t, err)
		if string(args) != "-i -f taskmaster@example.org -- ops@example.org dev@example.org\n" {
			t.Errorf("arguments %q", args)
		}
		text, err := os.ReadFile(filepath.Join(dir, "mail"))
		must(t, err)
		if subject, _, _ := read(t, text); !strings.HasSuffix(subject, "] web:0 exited 1 (not started again)") {
			t.Errorf("subject %q", subject)
		}
	}
}

// A full disk holds up no mail, nothing is taken from the pipe meanwhile that
// is not safe, and it recovers unaided.
func TestSpoolFull(t *testing.T) {
	t.Parallel()
	e := startExim(t, false)
	m := start(t, e, "-t", "ops@example.org", "-s", e.Plain, "-i", "0.1")
	until(t, "the spool is there", func() bool { _, err := os.Stat(m.spool); return err == nil })
	m.stop(syscall.SIGKILL)
	must(t, syscall.Mount("tmpfs", m.spool, "tmpfs", 0, "size=128k,mode=0700"))
	t.Cleanup(func() { m.stop(syscall.SIGKILL); syscall.Unmount(m.spool, 0) })
	m.start()
	m.say("db:0 fatal try=1 reason=warming%%20up")
	e.wait(t, "ops", 1)
	until(t, "an empty queue", func() bool { return len(m.names("queue")) == 0 })
	ballast := filepath.Join(m.spool, "ballast")
	exec.Command("dd", "if=/dev/zero", "of="+ballast, "bs=4k").Run() // until the disk is full
	m.say("web:0 fatal try=1 reason=disk%%20full")
	e.wait(t, "ops", 2)
	must(t, os.Remove(ballast))
	m.say("late:0 fatal try=1 reason=x")
	e.wait(t, "ops", 3)
	until(t, "an empty queue", func() bool { return len(m.names("queue")) == 0 })
	if code := m.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit %d, want 0: %s", code, m.complaints())
	}
	if said := m.complaints(); !strings.Contains(said, "unable to write the spool") || !strings.Contains(said, "can be written again") {
		t.Errorf("said: %s", said)
	}
}

// A second tmmail does not disturb the first, and SIGTERM ends one whose
// server hangs.
func TestLockAndHangingServer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	must(t, err)
	defer listener.Close()
	m := start(t, &exim{}, "-t", "ops@example.org", "-s", listener.Addr().String())
	m.say("web:0 fatal try=1 reason=x")
	until(t, "a mail on its way", func() bool { return len(m.names("queue")) == 1 })
	out, code := once(t, &exim{}, "", "-t", "ops@example.org", "-S", m.spool)
	if code != 111 || !strings.Contains(out, "another tmmail works there") {
		t.Errorf("a second one: exit %d: %s", code, out)
	}
	if code := m.stop(syscall.SIGTERM); code != 111 {
		t.Errorf("SIGTERM: exit %d, want 111", code)
	}
	if len(m.names("queue")) != 1 {
		t.Error("the mail is gone from the queue")
	}
}
