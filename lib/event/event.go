// Package event is the one line in which everything that happens is told, in
// the events FIFO, the status file, the event log and on the wire:
//
//	TIME NAME EVENT [KEY=VALUE ...]
//	2026-11-22T14:03:07.123Z web:0 starting pid=4312 try=1 cause=boot
//
// tm-event(5) lists the events and their keys. Keys stand in a fixed order
// and are only ever added at the end; a reader skips what it does not know.
package event

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/line"
)

// Max is the longest event line in bytes with its newline. It is well below
// PIPE_BUF (pipe(7)), so that one write(2) of it into a FIFO never mixes
// with another's.
const Max = 512

// TimeFormat is RFC 3339 in UTC with three decimals.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// The events of an instance.
const (
	Starting  = "starting"
	Running   = "running"
	Exited    = "exited"
	Backoff   = "backoff"
	Fatal     = "fatal"
	Stopping  = "stopping"
	Killed    = "killed"
	Stopped   = "stopped"
	Adopted   = "adopted"
	Heeded    = "heeded" // a command was taken and changed no state; only between helper and tmd
	Unhealthy = "unhealthy"
	Healthy   = "healthy"
	Waiting   = "waiting" // for what it comes after
)

// The events of tmd itself, whose NAME is Daemon. Stopping and Stopped are
// shared with the instances.
const (
	Daemon     = "tmd"
	Started    = "started"
	Reload     = "reload"
	ReloadFail = "reloadfail"
	Added      = "added"
	Removed    = "removed"
	Changed    = "changed"
	Command    = "command"
	Denied     = "denied"
	LogFull    = "logfull"
	Mail       = "mail"
	Lost       = "lost"
)

// Kinds returns the events that a client can watch, each once: all of the
// above but Heeded.
func Kinds() []string {
	return []string{
		Starting, Running, Exited, Backoff, Fatal, Stopping, Killed, Stopped, Adopted, Unhealthy, Healthy, Waiting,
		Started, Reload, ReloadFail, Added, Removed, Changed, Command, Denied, LogFull, Mail, Lost,
	}
}

// ErrSyntax says that a line is not an event line.
var ErrSyntax = errors.New("not an event line")

// A Pair is one KEY=VALUE of an event, the value decoded.
type Pair struct{ Key, Value string }

// An Event is one event line.
type Event struct {
	Time  time.Time // to the millisecond, UTC
	Name  string    // the instance, "web:0", or Daemon
	Kind  string    // one of the constants above, or a newer one
	Pairs []Pair
}

// New returns an event of now with the pairs given as key, value, key, value.
func New(now time.Time, name, kind string, keyValues ...string) Event {
	e := Event{Time: now, Name: name, Kind: kind, Pairs: make([]Pair, 0, len(keyValues)/2)}
	for i := 0; i+1 < len(keyValues); i += 2 {
		e.Pairs = append(e.Pairs, Pair{keyValues[i], keyValues[i+1]})
	}
	return e
}

// Same reports whether two events are one and the same, told twice.
func (e *Event) Same(as *Event) bool {
	return e.Time.Equal(as.Time) && e.Name == as.Name && e.Kind == as.Kind && slices.Equal(e.Pairs, as.Pairs)
}

// Get returns the value of key, "" when the event does not have it.
func (e *Event) Get(key string) string {
	value, _ := e.Lookup(key)
	return value
}

// Lookup returns the value of key and whether the event has it.
func (e *Event) Lookup(key string) (string, bool) {
	for _, p := range e.Pairs {
		if p.Key == key {
			return p.Value, true
		}
	}
	return "", false
}

// Int returns the value of key as a number, 0 when it is none.
func (e *Event) Int(key string) int {
	n, _ := strconv.Atoi(e.Get(key))
	return n
}

// Add appends a pair.
func (e *Event) Add(key, value string) {
	e.Pairs = append(e.Pairs, Pair{key, value})
}

// String returns the line without newline, whatever its length.
func (e *Event) String() string {
	var room [Max]byte // on the stack: of what is appended to it only the whole is allocated
	return string(e.append(room[:0]))
}

// Append appends the line with its newline to dst, shortened to Max bytes: a
// reason= gives up its middle, where the path stands, so that the cause at
// its end stays; if that does not do, the last value that fits is cut, never
// inside a %XX, what is behind it left out, and `cut=1` follows.
func (e *Event) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(e.append(dst), '\n')
	if len(dst)-start <= Max {
		return dst
	}
	short := *e
	if short.shortenReason(len(dst) - start - Max) {
		dst = append(short.append(dst[:start]), '\n')
		if len(dst)-start <= Max {
			return dst
		}
	}
	const mark = " cut=1\n"
	text := dst[start : start+Max-len(mark)]
	text = text[:wholeEscape(text)]
	if last := bytes.LastIndexByte(text, ' '); bytes.IndexByte(text[last:], '=') < 0 {
		text = text[:last] // a key whose value has no room
	}
	return append(dst[:start+len(text)], mark...)
}

func (e *Event) append(dst []byte) []byte {
	dst = appendHead(dst, e.Time, e.Name, e.Kind)
	for _, p := range e.Pairs {
		dst = append(dst, ' ')
		dst = line.Append(dst, p.Key)
		dst = append(dst, '=')
		dst = line.Append(dst, p.Value)
	}
	return dst
}

// What an encoded name and kind may take of a line. Those of tmd are shorter;
// tmsupervise alone takes the name it is given, or that of a file.
const (
	maxName = 192
	maxKind = 64
)

func appendHead(dst []byte, at time.Time, name, kind string) []byte {
	dst = at.UTC().AppendFormat(dst, TimeFormat)
	dst = appendCut(append(dst, ' '), name, maxName)
	return appendCut(append(dst, ' '), kind, maxKind)
}

// appendCut appends the beginning of an encoded word.
func appendCut(dst []byte, word string, most int) []byte {
	start := len(dst)
	dst = line.Append(dst, word)
	if len(dst)-start > most {
		dst = dst[:start+wholeEscape(dst[start:start+most])]
	}
	return dst
}

// keepOfReason is what shortenReason leaves at least of a reason's encoded
// text: 24 bytes of its beginning and 96 of its end.
const keepOfReason = 120

// shortenReason takes surplus bytes of encoded text out of the middle of the
// reason and puts "..." in their place.
func (e *Event) shortenReason(surplus int) bool {
	for i, p := range e.Pairs {
		if p.Key != "reason" {
			continue
		}
		word := line.Encode(p.Value)
		keep := len(word) - surplus - len("...")
		if keep < keepOfReason {
			keep = keepOfReason
		}
		if keep >= len(word) {
			return false
		}
		tail := keep * 3 / 4
		head := word[:wholeEscape([]byte(word[:keep-tail]))]
		end := word[len(word)-tail:]
		if at := strings.LastIndexByte(word[:len(word)-tail], '%'); at >= 0 && at+3 > len(word)-tail {
			end = word[at+3:]
		}
		text, err := line.Decode(head + "..." + end)
		if err != nil {
			return false
		}
		e.Pairs = append([]Pair(nil), e.Pairs...)
		e.Pairs[i].Value = text
		return true
	}
	return false
}

// wholeEscape returns the length of text without a %XX cut at its end.
func wholeEscape(text []byte) int {
	n := len(text)
	for back := 1; back <= 2 && back <= n; back++ {
		if text[n-back] == '%' {
			return n - back
		}
	}
	return n
}

// Parse reads an event line, without or with its newline. Words that are no
// KEY=VALUE and values with broken encoding are ErrSyntax: an event comes
// from our own tools, so such a line is torn or forged.
func Parse(text string) (Event, error) {
	text = strings.TrimSuffix(text, "\n")
	when, text, _ := strings.Cut(text, " ")
	name, text, _ := strings.Cut(text, " ")
	kind, text, more := strings.Cut(text, " ")
	if name == "" || kind == "" {
		return Event{}, ErrSyntax
	}
	at, err := time.Parse(TimeFormat, when)
	if err != nil {
		return Event{}, ErrSyntax
	}
	e := Event{Time: at}
	if e.Name, err = line.Decode(name); err != nil {
		return Event{}, ErrSyntax
	}
	if e.Kind, err = line.Decode(kind); err != nil {
		return Event{}, ErrSyntax
	}
	if more {
		e.Pairs = make([]Pair, 0, 1+strings.Count(text, " "))
	}
	for more {
		var pair string
		pair, text, more = strings.Cut(text, " ")
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return Event{}, ErrSyntax
		}
		if value, err = line.Decode(value); err != nil {
			return Event{}, ErrSyntax
		}
		if key, err = line.Decode(key); err != nil {
			return Event{}, ErrSyntax
		}
		e.Add(key, value)
	}
	return e, nil
}

// Seconds writes a duration the way event lines do: seconds with three
// decimals, trailing zeros and point dropped ("2", "0.25", "4055.877").
func Seconds(d time.Duration) string { return string(AppendSeconds(nil, d)) }

// AppendSeconds appends what Seconds returns to dst.
func AppendSeconds(dst []byte, d time.Duration) []byte {
	dst = strconv.AppendFloat(dst, d.Seconds(), 'f', 3, 64)
	dst = bytes.TrimRight(dst, "0")
	return bytes.TrimSuffix(dst, []byte("."))
}
