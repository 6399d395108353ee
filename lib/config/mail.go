package config

import (
	"net/mail"
	"strings"
	"time"

	"taskmaster/lib/event"
)

// mailFields are the keys of `mail:`.
var mailFields = []string{"to", "from", "server", "tls", "user", "password_file", "spool", "events", "group_wait", "group_interval", "max_per_hour"}

// mailEvents are what `events:` may name: the events, but for that of a mail
// itself, and an exit that was not expected.
var mailEvents = []string{
	"exited-unexpected",
	event.Starting, event.Running, event.Exited, event.Backoff, event.Fatal, event.Stopping, event.Killed,
	event.Stopped, event.Adopted, event.Unhealthy, event.Healthy, event.Waiting, event.Started, event.Reload, event.ReloadFail,
	event.Added, event.Removed, event.Changed, event.Command, event.Denied, event.LogFull, event.Lost,
}

// mail reads `mail:` with the defaults of tmmail(8).
func (s *scope) mail(v value) *Mail {
	if v.isNull() {
		return nil
	}
	m := &Mail{
		From: "taskmaster@" + s.opts.Hostname, Server: "localhost:25",
		Events:    []string{"fatal", "exited-unexpected", "reloadfail", "logfull"},
		GroupWait: 10 * time.Second, GroupInterval: 5 * time.Minute, MaxPerHour: 20,
	}
	fields := s.fields(v, mailFields...)
	for name, field := range fields {
		s.mailField(m, name, field)
	}
	if m.TLS == "" {
		m.TLS = "starttls"
		if Loopback(m.Server) {
			m.TLS = "none"
		}
	}
	if _, ok := fields["to"]; !ok && v.isMap() {
		s.bad(v, "no to: name who gets the mail")
	}
	s.checkPassword(m, fields)
	return m
}

func (s *scope) mailField(m *Mail, name string, v value) {
	switch name {
	case "to":
		for _, item := range s.list(v) {
			m.To = append(m.To, s.mailAddress(item))
		}
		if len(m.To) == 0 {
			s.bad(v, "an empty list: name who gets the mail")
		}
	case "from":
		m.From = s.mailAddress(v)
	case "server":
		m.Server = s.mailServer(v)
	case "tls":
		m.TLS = s.choice(v, "starttls", "tls", "none")
	case "user":
		m.User = s.expandWord(v)
	case "password_file":
		m.PasswordFile = s.expandPath(v)
	case "spool":
		m.Spool = s.expandPath(v)
	case "events":
		m.Events = nil
		for _, item := range s.list(v) {
			m.Events = append(m.Events, s.choice(item, mailEvents...))
		}
		if len(m.Events) == 0 {
			s.bad(v, "an empty list: name what is mailed, or leave mail out")
		}
	case "group_wait":
		m.GroupWait = s.duration(v, 0)
	case "group_interval":
		m.GroupInterval = s.duration(v, 0)
	case "max_per_hour":
		m.MaxPerHour = s.integer(v, 1, 100_000)
	}
}

// mailAddress reads one address, with or without a name (RFC 5322, 3.4), and
// returns it bare. It refuses what tmmail(8) would: one that is not ASCII, for
// which every server on the way needs SMTPUTF8, and one that needs quotes.
func (s *scope) mailAddress(v value) string {
	text := s.expandWord(v)
	if text == "" {
		return ""
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		s.bad(v, "%s is not a mail address", quoted(text))
		return ""
	}
	again, err := mail.ParseAddress(parsed.Address)
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' || r == ',' }
	if err != nil || again.Address != parsed.Address || strings.ContainsFunc(parsed.Address, odd) {
		s.bad(v, "%s: only ASCII without quotes is possible in an address", quoted(text))
	}
	return parsed.Address
}

func (s *scope) mailServer(v value) string {
	text := s.expandWord(v)
	s.checkAddress(v, text, 1)
	return text
}

// checkPassword reports half a login, and one that the network could read.
func (s *scope) checkPassword(m *Mail, fields map[string]value) {
	user, hasUser := fields["user"]
	file, hasFile := fields["password_file"]
	switch {
	case hasUser && !hasFile:
		s.bad(user, "a user needs a password_file")
	case hasFile && !hasUser:
		s.bad(file, "a password needs a user")
	case hasUser && m.TLS == "none" && !Loopback(m.Server):
		s.bad(fields["tls"], "the password would cross the network in clear: use starttls or tls")
	}
}
