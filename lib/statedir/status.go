package statedir

import (
	"strconv"

	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
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

	State    string // STOPPED, STARTING, ... as in section STATES of tmd(8)
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
}

// Line returns the status as the content of the file.
func (s *Status) Line() []byte {
	e := s.Event
	e.Pairs = append(e.Pairs[:len(e.Pairs):len(e.Pairs)],
		event.Pair{Key: "state", Value: s.State},
		event.Pair{Key: "wish", Value: s.Wish},
		event.Pair{Key: "pid", Value: strconv.Itoa(s.PID)},
		event.Pair{Key: "start", Value: strconv.FormatUint(s.Start, 10)},
		event.Pair{Key: "since", Value: strconv.FormatUint(s.Since, 10)},
		event.Pair{Key: "boot", Value: s.Boot},
		event.Pair{Key: "began", Value: strconv.FormatInt(s.Began, 10)},
		event.Pair{Key: "due", Value: strconv.FormatInt(s.Due, 10)},
		event.Pair{Key: "try", Value: strconv.Itoa(s.Try)},
		event.Pair{Key: "restarts", Value: strconv.Itoa(s.Restarts)},
		event.Pair{Key: "seq", Value: strconv.Itoa(s.Seq)},
		event.Pair{Key: "then", Value: strconv.Itoa(s.Then)},
		event.Pair{Key: "ready", Value: strconv.FormatBool(s.Ready)},
		event.Pair{Key: "group", Value: strconv.Itoa(s.Group)},
		event.Pair{Key: "notify", Value: s.Notify},
		event.Pair{Key: "detail", Value: s.Detail},
		event.Pair{Key: "v", Value: statusVersion})
	return append([]byte(e.String()), '\n')
}

// ParseStatus reads the content of a status file. The error is
// event.ErrSyntax, for another version of the format too.
func ParseStatus(text []byte) (Status, error) {
	e, err := event.Parse(string(text))
	if err != nil {
		return Status{}, err
	}
	at := 0
	for at < len(e.Pairs) && e.Pairs[at].Key != "state" {
		at++
	}
	know := event.Event{Pairs: e.Pairs[at:]}
	e.Pairs = e.Pairs[:at]
	if know.Get("v") != statusVersion {
		return Status{}, event.ErrSyntax
	}
	s := Status{
		Event: e, State: know.Get("state"), Wish: know.Get("wish"), PID: know.Int("pid"), Boot: know.Get("boot"),
		Try: know.Int("try"), Restarts: know.Int("restarts"), Seq: know.Int("seq"), Then: know.Int("then"),
		Group: know.Int("group"), Notify: know.Get("notify"),
		Ready: know.Get("ready") == "true", Detail: know.Get("detail"),
	}
	s.Start, _ = strconv.ParseUint(know.Get("start"), 10, 64)
	s.Since, _ = strconv.ParseUint(know.Get("since"), 10, 64)
	s.Began, _ = strconv.ParseInt(know.Get("began"), 10, 64)
	s.Due, _ = strconv.ParseInt(know.Get("due"), 10, 64)
	return s, nil
}

// ReadStatus reads the instance's status file. ENOENT says that it never had
// one.
func (r Run) ReadStatus() (Status, error) {
	text, err := procfs.ReadFile(r.Status(), 1<<16)
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(text)
}
