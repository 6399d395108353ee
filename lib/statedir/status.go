package statedir

import (
	"bytes"
	"strconv"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
)

// Wishes, as a status file tells them.
const (
	WishNone    = "none"    // nobody asked for anything yet
	WishUp      = "up"      // it should run
	WishDown    = "down"    // someone stopped it
	WishRestart = "restart" // it is being stopped to be started again
)

// statusVersion is the format's; keys are only ever added.
const statusVersion = "1"

// A Status is the status file of one instance: its last event line, followed
// on the same line by what the helper knows. From `state=` on it is the
// state; what stands before belongs to the event.
type Status struct {
	Event event.Event // the last one

	State    string // Stopped, Starting, ... (state.go)
	Wish     string
	PID      int    // of the program; 0 when there is none
	Start    uint64 // its start time in ticks after boot
	Since    uint64 // when PID is 0: a fork was begun at this tick, 0 for none
	Boot     string // boot id
	Began    int64  // when the program started, in ms of CLOCK_MONOTONIC
	Due      int64  // when the state ends by itself, the same, 0 for never
	Try      int    // failed starts in a row
	Restarts int    // starts that nobody asked for
	Seq      int    // the last numbered command taken from the control FIFO
	Then     int    // what the helper does once the program is gone, in its own code
	Ready    bool
	Group    int    // process group of the program
	Notify   string // abstract socket on which it says that it is ready
	Detail   string

	// What a helper left of the end of a program whose tree it was still
	// ending: its wait status (wait(2)) in decimal or "" when unknown, and
	// when it died, in ms of CLOCK_MONOTONIC, 0 for not yet.
	End  string
	Died int64

	Leaving bool // the helper was told to end once the program has

	// Sums (spec.Sum) of the configuration: the launch keys that the program
	// was last started with, and all keys that the helper goes by; 0 when
	// unknown.
	Launched, Keys uint64
}

// Line returns the status as the content of the file.
func (s *Status) Line() []byte {
	return s.Append(nil, []byte(s.Event.String()))
}

// maxDetail bounds what a status says in words, so that the file stays within
// one page: a program may send as much as it likes by sd_notify(3).
const maxDetail = 800

// Append appends the content of the file to dst: an event line, given as text
// without its newline instead of as s.Event, and what else s knows.
func (s *Status) Append(dst, eventLine []byte) []byte {
	dst = append(dst, eventLine...)
	dst = appendWord(dst, " state=", s.State)
	dst = appendWord(dst, " wish=", s.Wish)
	dst = appendInt(dst, " pid=", int64(s.PID))
	dst = appendInt(dst, " start=", int64(s.Start))
	dst = appendInt(dst, " since=", int64(s.Since))
	dst = appendWord(dst, " boot=", s.Boot)
	dst = appendInt(dst, " began=", s.Began)
	dst = appendInt(dst, " due=", s.Due)
	dst = appendInt(dst, " try=", int64(s.Try))
	dst = appendInt(dst, " restarts=", int64(s.Restarts))
	dst = appendInt(dst, " seq=", int64(s.Seq))
	dst = appendInt(dst, " then=", int64(s.Then))
	dst = strconv.AppendBool(append(dst, " ready="...), s.Ready)
	dst = appendInt(dst, " group=", int64(s.Group))
	dst = appendWord(dst, " notify=", s.Notify)
	dst = appendWord(dst, " detail=", s.Detail[:min(len(s.Detail), maxDetail)])
	dst = appendWord(dst, " v=", statusVersion)
	dst = appendWord(dst, " end=", s.End)
	dst = appendInt(dst, " died=", s.Died)
	dst = strconv.AppendBool(append(dst, " leaving="...), s.Leaving)
	dst = strconv.AppendUint(append(dst, " launched="...), s.Launched, 16)
	dst = strconv.AppendUint(append(dst, " keys="...), s.Keys, 16)
	return append(dst, '\n')
}

func appendWord(dst []byte, key, value string) []byte {
	return line.Append(append(dst, key...), value)
}

func appendInt(dst []byte, key string, value int64) []byte {
	return strconv.AppendInt(append(dst, key...), value, 10)
}

// ParseStatus reads the content of a status file. The error is
// event.ErrSyntax, for another version of the format too.
func ParseStatus(text []byte) (Status, error) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	at := bytes.Index(text, []byte(" state="))
	if at < 0 {
		return Status{}, event.ErrSyntax
	}
	e, err := event.Parse(string(text[:at]))
	if err != nil {
		return Status{}, err
	}
	s := Status{Event: e}
	version := ""
	for rest, more := text[at+1:], true; more; {
		var pair []byte
		pair, rest, more = bytes.Cut(rest, []byte(" "))
		key, value, ok := bytes.Cut(pair, []byte("="))
		if !ok || len(key) == 0 {
			return Status{}, event.ErrSyntax
		}
		if string(key) == "v" {
			version = string(value)
		} else if s.set(string(key), value) != nil {
			return Status{}, event.ErrSyntax
		}
	}
	if version != statusVersion {
		return Status{}, event.ErrSyntax
	}
	return s, nil
}

// set takes in one pair; a key that it does not know changes nothing.
func (s *Status) set(key string, value []byte) (err error) {
	switch key {
	case "state":
		s.State, err = word(value)
	case "wish":
		s.Wish, err = word(value)
	case "boot":
		s.Boot, err = word(value)
	case "ready":
		s.Ready = string(value) == "true"
	case "notify":
		s.Notify, err = word(value)
	case "detail":
		s.Detail, err = word(value)
	case "end":
		s.End, err = word(value)
	case "leaving":
		s.Leaving = string(value) == "true"
	default:
		s.setNumber(key, string(value))
	}
	return err
}

func (s *Status) setNumber(key, value string) {
	switch key {
	case "pid":
		s.PID, _ = strconv.Atoi(value)
	case "start":
		s.Start, _ = strconv.ParseUint(value, 10, 64)
	case "since":
		s.Since, _ = strconv.ParseUint(value, 10, 64)
	case "began":
		s.Began, _ = strconv.ParseInt(value, 10, 64)
	case "due":
		s.Due, _ = strconv.ParseInt(value, 10, 64)
	case "try":
		s.Try, _ = strconv.Atoi(value)
	case "restarts":
		s.Restarts, _ = strconv.Atoi(value)
	case "seq":
		s.Seq, _ = strconv.Atoi(value)
	case "then":
		s.Then, _ = strconv.Atoi(value)
	case "group":
		s.Group, _ = strconv.Atoi(value)
	case "died":
		s.Died, _ = strconv.ParseInt(value, 10, 64)
	case "launched":
		s.Launched, _ = strconv.ParseUint(value, 16, 64)
	case "keys":
		s.Keys, _ = strconv.ParseUint(value, 16, 64)
	}
}

// familiar are the words that thousands of statuses have in common: tmd holds
// each of them once.
var familiar = [...]string{
	Running, Stopped, Exited, Fatal, Starting, Stopping, Backoff, WishNone, WishUp, WishDown, WishRestart,
}

// word decodes a value into memory of its own.
func word(value []byte) (string, error) {
	for _, known := range familiar {
		if string(value) == known {
			return known, nil
		}
	}
	return line.Decode(string(value))
}

// ReadStatus reads the instance's status file. ENOENT says that it never had
// one.
func (r Run) ReadStatus() (Status, error) { return Paths.ReadStatus(r.Status()) }

// ReadStatus reads a status file.
func (p Place) ReadStatus(name string) (Status, error) {
	text, err := p.ReadPublished(name, 1<<16)
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(text)
}
