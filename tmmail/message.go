package main

import (
	"bytes"
	"mime"
	"strings"
	"time"

	"taskmaster/lib/die"

	"github.com/wneessen/go-mail"
)

// message builds the message of a letter as RFC 5322 has it: plain text in
// UTF-8, quoted-printable, so that no line of the body is too long, begins
// with a dot, or holds a bare CR; headers encoded as RFC 2047 has it. All
// text in p is printable already, so it can add no header.
func message(s *settings, l *letter, p page) []byte {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent(), mail.WithEncoding(mail.EncodingQP), mail.WithCharset(mail.CharsetUTF8))
	if err := m.From(l.From); err != nil {
		die.Fatal(die.Bug, "address "+l.From, err) // setAddress has checked it
	}
	if err := m.To(l.To...); err != nil {
		die.Fatal(die.Bug, "addresses "+strings.Join(l.To, ", "), err)
	}
	setSubject(m, inHeader(p.subject))
	m.SetDateWithValue(l.Made.Round(0).In(time.Local))
	m.SetMessageIDWithValue(l.ID + "@" + domain(s.Host))
	// RFC 3834: nobody's vacation program answers this.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Taskmaster-Host", printable(s.Host))
	if p.program != "" {
		m.SetGenHeader("X-Taskmaster-Program", clip(inHeader(p.program), 100))
	}
	m.SetBodyString(mail.TypeTextPlain, p.body)
	var out bytes.Buffer
	if _, err := m.WriteTo(&out); err != nil {
		die.Fatal(die.Bug, "unable to write a message into memory", err)
	}
	return bytes.ReplaceAll(out.Bytes(), []byte("\r\n"), []byte("\n"))
}

// setSubject leaves the "[host]" before a subject that has to be encoded as it
// is: go-mail would break the line before the first encoded word, which some
// readers take for a space in front of the subject.
func setSubject(m *mail.Msg, text string) {
	host, rest, found := strings.Cut(text, " ")
	encoded := mime.QEncoding.Encode("UTF-8", rest)
	if !found || encoded == rest || mime.QEncoding.Encode("UTF-8", host) != host {
		m.Subject(text)
		return
	}
	m.SetGenHeaderPreformatted(mail.HeaderSubject, host+"\r\n "+strings.ReplaceAll(encoded, " ", "\r\n "))
}

// inHeader escapes what a reader would take for an encoded word of RFC 2047,
// which may hold anything, also line ends.
func inHeader(text string) string { return strings.ReplaceAll(text, "=?", `=\x3f`) }

// domain makes the right side of a Message-ID of a host's name.
func domain(host string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, host)
	clean = strings.Trim(clean, ".-")
	if clean == "" {
		return "localhost"
	}
	return clean
}
