package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/line"
)

// A letter is a mail that is made and waits for the server. Its text never
// changes; only the recipients that still want it do.
//
// In the spool it is an envelope of `key value` lines, each value one word of
// lib/line, an empty line, and the message as it is sent but with bare line
// ends.
type letter struct {
	ID      string
	From    string
	To      []string  // those who do not have it yet
	Made    time.Time // when the message was made
	Subject string
	Tells   []string // the IDs of the stories that it tells
	Why     []string // in failed/: why, in the server's words, a line per recipient
	Text    []byte

	next  time.Time // when it is tried; zero: now
	tries int
	last  bool // tried since the end of the input
	saved bool
}

var errEnvelope = errors.New("no envelope of a mail")

// file returns the content of the letter's file.
func (l *letter) file() []byte {
	var out bytes.Buffer
	put := func(key string, values ...string) {
		for _, value := range values {
			fmt.Fprintf(&out, "%s %s\n", key, line.Encode(value))
		}
	}
	put("id", l.ID)
	put("from", l.From)
	put("to", l.To...)
	put("made", l.Made.UTC().Format(time.RFC3339Nano))
	put("subject", l.Subject)
	put("tells", l.Tells...)
	put("why", l.Why...)
	out.WriteByte('\n')
	out.Write(l.Text)
	return out.Bytes()
}

// parseLetter reads the content of a letter's file. The errors are
// errEnvelope and line.ErrEncoding.
func parseLetter(content []byte) (*letter, error) {
	head, text, found := bytes.Cut(content, []byte("\n\n"))
	if !found {
		return nil, errEnvelope
	}
	l := &letter{Text: text, saved: true}
	for _, row := range strings.Split(string(head), "\n") {
		key, word, _ := strings.Cut(row, " ")
		value, err := line.Decode(word)
		if err != nil {
			return nil, err
		}
		if err := l.take(key, value); err != nil {
			return nil, err
		}
	}
	if l.ID == "" || l.From == "" || len(l.To) == 0 || l.Made.IsZero() || len(l.Text) == 0 {
		return nil, errEnvelope
	}
	return l, nil
}

func (l *letter) take(key, value string) (err error) {
	switch key {
	case "id":
		l.ID = value
	case "from":
		return setAddress(&l.From, value)
	case "to":
		l.To = append(l.To, "")
		return setAddress(&l.To[len(l.To)-1], value)
	case "made":
		l.Made, err = time.Parse(time.RFC3339Nano, value)
	case "subject":
		l.Subject = value
	case "tells":
		l.Tells = append(l.Tells, value)
	case "why":
		l.Why = append(l.Why, value)
	}
	return err
}

// saveLetter puts the letter into the queue, or what is left of it in its
// place.
func (s spool) saveLetter(l *letter) error {
	err := s.write("queue", l.ID, l.file())
	if err == nil {
		err = s.sync("queue")
	}
	l.saved = err == nil
	return err
}

// fail puts a copy of the letter, addressed to those who will not get it, into
// failed/. Another copy for other recipients does not replace it.
func (s spool) fail(l *letter, to, why []string) error {
	failed := *l
	failed.To, failed.Why = to, why
	name := l.ID
	for n := 2; slices.Contains(s.list("failed"), name); n++ {
		name = fmt.Sprintf("%s.%d", l.ID, n)
	}
	if err := s.write("failed", name, failed.file()); err != nil {
		return err
	}
	return s.sync("failed")
}

// loadQueue reads the mails that an earlier tmmail could not deliver, all due
// at once.
func (s spool) loadQueue(now time.Time) []*letter {
	var queue []*letter
	for _, name := range s.list("queue") {
		content, err := s.read("queue", name)
		var l *letter
		if err == nil {
			l, err = parseLetter(content)
		}
		if err == nil && l.ID != name {
			err = errEnvelope
		}
		if err != nil {
			die.Warn(fmt.Sprintf("unable to read %s, moved to failed", s.path("queue", name)), err)
			s.setAside("queue", name)
			continue
		}
		l.Made = sinceOf(now, l.Made)
		queue = append(queue, l)
	}
	return queue
}
