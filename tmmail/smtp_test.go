package main

import (
	"context"
	"strings"
	"testing"
	"time"
)

func shorten(t *testing.T, step time.Duration) {
	old := stepTimeout
	oldSession := sessionTimeout
	stepTimeout, sessionTimeout = step, 3*step
	t.Cleanup(func() { stepTimeout, sessionTimeout = old, oldSession })
}

// A step that never gets an answer ends by itself, and the mail is kept.
func TestHangAtEveryStep(t *testing.T) {
	shorten(t, 50*time.Millisecond)
	for _, step := range []string{"greeting", "EHLO host", "MAIL", "RCPT", "DATA", "."} {
		s := newMailServer(t, func(command string) string {
			if strings.HasPrefix(command, step) {
				return hang
			}
			return ""
		})
		d := s.try("a@example.org", "b@example.org")
		got := results(d)
		if got != "a@example.org deferred, b@example.org deferred" && got != "b@example.org deferred, a@example.org deferred" || !d.silent {
			t.Errorf("hang at %s: %s, silent %v", step, got, d.silent)
		}
		if !strings.Contains(d.verdicts[0].reason, "no answer in time") {
			t.Errorf("hang at %s: reason %q", step, d.verdicts[0].reason)
		}
	}
}

// The same while the connection is being made safe and the user let in.
func TestHangBeforeMail(t *testing.T) {
	shorten(t, 50*time.Millisecond)
	password := write(t, "password", "hunter2\n", 0o600)
	for _, c := range []struct{ tls, step, said string }{
		{implicitTLS, "greeting", "TLS: no answer in time"},
		{startTLS, "STARTTLS", "STARTTLS: no answer in time"},
		{startTLS, "handshake", "STARTTLS: no answer in time"},
		{clearText, "AUTH", "AUTH PLAIN: no answer in time"},
	} {
		shaking := false
		s := newMailServer(t, func(command string) string {
			switch {
			case strings.HasPrefix(command, c.step) || shaking:
				return hang
			case command == "STARTTLS":
				shaking = true
				return "220 go on"
			}
			return ""
		})
		s.offers = "\r\n250-STARTTLS\r\n250-AUTH PLAIN"
		set := &settings{Server: s.address, TLS: c.tls, Host: "host", User: "u", PasswordFile: password}
		d := deliver(context.Background(), set, &letter{To: []string{"a@example.org"}}, func(string) {})
		if results(d) != "a@example.org deferred" || !d.silent || d.verdicts[0].reason != c.said {
			t.Errorf("%s hangs at %s: %+v", c.tls, c.step, d)
		}
	}
}

// The mail is where it is once the server took it, whatever QUIT brings.
func TestHangAtQuit(t *testing.T) {
	shorten(t, 50*time.Millisecond)
	s := newMailServer(t, func(command string) string {
		if command == "QUIT" {
			return hang
		}
		return ""
	})
	if got := results(s.try("a@example.org")); got != "a@example.org sent" {
		t.Error(got)
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ command, answer, want string }{
		{"", "", "a@example.org sent, b@example.org sent"},
		{"greeting", "554 go away", "a@example.org deferred, b@example.org deferred"},
		{"greeting", drop, "a@example.org deferred, b@example.org deferred"},
		{"MAIL", "451 later", "a@example.org deferred, b@example.org deferred"},
		{"MAIL", "550 not you", "a@example.org failed, b@example.org failed"},
		{"RCPT TO:<a@", "550 no such user", "a@example.org failed, b@example.org sent"},
		{"RCPT TO:<a@", "450 greylisted", "a@example.org deferred, b@example.org sent"},
		{"RCPT TO:<a@", "552 too many", "a@example.org deferred, b@example.org sent"},
		{".", "552 too large", "a@example.org failed, b@example.org failed"},
		{"RCPT TO:<b@", drop, "b@example.org deferred, a@example.org deferred"},
		{"RCPT", "550 nobody", "a@example.org failed, b@example.org failed"},
		{"DATA", "421 shutting down", "a@example.org deferred, b@example.org deferred"},
		{".", "554 spam", "a@example.org failed, b@example.org failed"},
		{".", "451 busy", "a@example.org deferred, b@example.org deferred"},
		{".", drop, "a@example.org deferred, b@example.org deferred"},
	} {
		s := newMailServer(t, func(command string) string {
			if c.command != "" && strings.HasPrefix(command, c.command) {
				return c.answer
			}
			return ""
		})
		d := s.try("a@example.org", "b@example.org")
		if got := results(d); got != c.want {
			t.Errorf("%s answered %q: %s, want %s", c.command, c.answer, got, c.want)
		}
		if code, words, _ := strings.Cut(c.answer, " "); words != "" && !strings.Contains(d.verdicts[0].reason, code+" "+words) {
			t.Errorf("%s: reason %q lacks the server's words", c.answer, d.verdicts[0].reason)
		}
		if taken := strings.Contains(c.want, "sent"); taken != (s.count() == 1) {
			t.Errorf("%s answered %q: the server has %d mails", c.command, c.answer, s.count())
		}
	}
}

func TestTalkativeServer(t *testing.T) {
	s := newMailServer(t, func(command string) string {
		if command == "greeting" {
			return strings.Repeat("x", 2*mostAnswer)
		}
		return ""
	})
	d := s.try("a@example.org")
	if results(d) != "a@example.org deferred" || !strings.Contains(d.verdicts[0].reason, errTalkative.Error()) {
		t.Errorf("%+v", d.verdicts)
	}
}

func TestHostileWords(t *testing.T) {
	s := newMailServer(t, func(command string) string {
		if command == "MAIL FROM:<from@example.org> BODY=8BITMIME" {
			return "550-\x1b[2J\xff\r\n550 " + strings.Repeat("no", 5000)
		}
		return ""
	})
	reason := s.try("a@example.org").verdicts[0].reason
	if len(reason) > 1000 || strings.ContainsAny(reason, "\x1b\n\r") || !strings.Contains(reason, `\x1b[2J\xff`) {
		t.Errorf("%d bytes: %q", len(reason), reason)
	}
}

// With TLS demanded, nothing but EHLO and QUIT is ever said in clear.
func TestStartTLSStripped(t *testing.T) {
	for offers, answer := range map[string]string{"": "", "\r\n250-STARTTLS": "454 no TLS today"} {
		s := newMailServer(t, func(command string) string {
			if command == "STARTTLS" {
				return answer
			}
			return ""
		})
		s.offers = offers + "\r\n250-AUTH PLAIN LOGIN"
		password := write(t, "password", "hunter2\n", 0o600)
		l := &letter{From: "from@example.org", To: []string{"a@example.org"}, Text: []byte("x\n")}
		set := &settings{Server: s.address, TLS: startTLS, Host: "host", User: "u", PasswordFile: password}
		d := deliver(context.Background(), set, l, func(string) {})
		if results(d) != "a@example.org deferred" {
			t.Errorf("offers %q: %s", offers, results(d))
		}
		for _, command := range s.heard {
			if command != "greeting" && command != "EHLO host" && command != "STARTTLS" && command != "QUIT" {
				t.Errorf("said in clear: %q", command)
			}
		}
	}
}

func TestMechanism(t *testing.T) {
	for _, c := range []struct{ server, offered, want string }{
		{"127.0.0.1", "LOGIN PLAIN", "PLAIN"},
		{"127.0.0.1", "LOGIN", "LOGIN"},
		{"127.0.0.1", "PLAIN CRAM-MD5", "CRAM-MD5"},
		{"127.0.0.1", "XOAUTH2", ""},
		{"mail.example.org", "PLAIN LOGIN", ""}, // never in clear over a network
		{"mail.example.org", "PLAIN SCRAM-SHA-256", "SCRAM-SHA-256"},
	} {
		s := newMailServer(t, nil)
		d := &dialogue{settings: &settings{Server: s.address, TLS: clearText, Host: "host"}, tell: func(string) {}}
		if err := d.open(context.Background()); err != nil {
			t.Fatal(err)
		}
		d.host = c.server
		if got, _ := d.mechanism(strings.Fields(c.offered), "secret"); got != c.want {
			t.Errorf("%s offers %s: %q, want %q", c.server, c.offered, got, c.want)
		}
		d.conn.Close()
	}
}
