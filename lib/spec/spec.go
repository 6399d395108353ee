// Package spec is the file STATE/run/NAME/spec: all that a tmsupervise needs
// to know of the one process it keeps. tmd writes it, tmsupervise reads it,
// and a later tmd reads back what an earlier one set running.
//
// It is flat text: lines of `key value ...`, each value one word of
// lib/line. Readers skip keys they do not know; another Version is refused.
package spec

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Version is the format's; a reader refuses any other.
const Version = 1

// Inherit, as Umask, leaves the umask as the helper has it.
const Inherit = -1

// Where an output goes.
const (
	Discard     = "discard" // /dev/null
	InheritFile = "inherit" // the helper's own
	File        = "file"    // a path, opened for append
	Log         = "log"     // a FIFO that a tmlog reads
	SameAsOut   = "stdout"  // stderr only: joined with stdout
)

// Values of Restart, StopGroup and Background, as in taskmaster.yaml(5).
const (
	Always     = "always"
	Never      = "never"
	Unexpected = "unexpected"

	Tree    = "tree"
	Group   = "group"
	Process = "process"

	Kill   = "kill"
	Follow = "follow"
)

// Ways in which a program becomes ready; the empty Ready.Kind is none.
const (
	Notify   = "notify"    // a newline on a descriptor
	SdNotify = "sd_notify" // READY=1 on NOTIFY_SOCKET
	Probed   = "probed"    // tmd says so over the control FIFO
)

// A Spec is what one process needs.
type Spec struct {
	Name    string // "web:0"
	Program string // "web"
	Num     int
	State   string // the state directory

	Cmd         []string
	Env         []string // all of it, KEY=VALUE
	Dir         string   // "" for the helper's
	Umask       int      // or Inherit
	User        *User    // nil for the helper's
	NoNewPrivs  bool
	Stdout      Output
	Stderr      Output
	Limits      []Limit
	Nice        *int
	OOMScoreAdj *int
	Background  string
	TimerSlack  int // ns, 0 for that of tmsupervise

	Restart      string
	ExitCodes    []int
	StartTime    time.Duration
	StartRetries int
	StopSignal   int
	StopTime     time.Duration
	StopGroup    string
	BackoffFirst time.Duration
	BackoffMax   time.Duration
	Ready        Ready
	Watchdog     time.Duration // 0 for none

	// Keys is the configuration that this came from, for comparing it with a
	// later one. A tmsupervise has no more than their Sums.
	Keys []Key
	Sums Sums
}

// A User is whom the process runs as.
type User struct {
	UID, GID int
	Groups   []int // supplementary
}

// An Output is where stdout or stderr goes; Path is that of File and Log.
type Output struct{ Kind, Path string }

// A Limit is one resource limit by its name in taskmaster.yaml(5); soft and
// hard are set alike, and ^0 is RLIM_INFINITY.
type Limit struct {
	Name  string
	Value uint64
}

// Ready says how the process tells that it is ready.
type Ready struct {
	Kind    string // "", Notify, SdNotify, Probed
	FD      int    // of Notify
	Timeout time.Duration
}

// A Key is one setting in canonical text.
type Key struct {
	Name, Value string
	Launch      bool // a change restarts the process
}

// Sums tell two lists of settings apart without holding them: FNV-1a with 64
// bits of the launch keys and of all keys, never 0.
type Sums struct{ Launch, All uint64 }

// SumsOf returns the sums of keys.
func SumsOf(keys []Key) Sums {
	s := noKeys
	for _, k := range keys {
		s.add(k)
	}
	return s
}

// noKeys are the sums of none, FNV's offset basis.
var noKeys = Sums{14695981039346656037, 14695981039346656037}

func (s *Sums) add(k Key) {
	s.All = sum(s.All, k)
	if k.Launch {
		s.Launch = sum(s.Launch, k)
	}
}

func sum(h uint64, k Key) uint64 {
	for _, text := range [...]string{k.Name, k.Value} {
		for i := 0; i < len(text); i++ {
			h = (h ^ uint64(text[i])) * 1099511628211
		}
		h *= 1099511628211 // a NUL, which no setting holds
	}
	return max(h, 1)
}

// Default returns a spec with the defaults of taskmaster.yaml(5).
func Default() *Spec {
	s := defaults()
	return &s
}

func defaults() Spec {
	return Spec{
		Umask: Inherit, Stdout: Output{Kind: Discard}, Stderr: Output{Kind: Discard}, Background: Kill,
		Restart: Unexpected, ExitCodes: []int{0}, StartTime: time.Second, StartRetries: 3,
		StopSignal: 15, StopTime: 10 * time.Second, StopGroup: Tree,
		BackoffFirst: time.Second, BackoffMax: time.Minute,
	}
}

// NeedsStage reports whether the process must be prepared by an exec stage of
// its own, because something has to be set that fork and exec alone cannot.
func (s *Spec) NeedsStage() bool {
	return s.User != nil || len(s.Limits) > 0 || s.Nice != nil || s.OOMScoreAdj != nil || s.NoNewPrivs
}

// Expected reports whether an exit code is one of ExitCodes.
func (s *Spec) Expected(code int) bool {
	for _, c := range s.ExitCodes {
		if c == code {
			return true
		}
	}
	return false
}

// Getenv returns the value of a variable in Env.
func (s *Spec) Getenv(key string) (string, bool) {
	for _, entry := range s.Env {
		if name, value, ok := strings.Cut(entry, "="); ok && name == key {
			return value, true
		}
	}
	return "", false
}

// A SyntaxError tells the line of a spec that cannot be read.
type SyntaxError struct {
	Line int
	Text string
}

// Error returns "line N: TEXT".
func (e *SyntaxError) Error() string { return "line " + strconv.Itoa(e.Line) + ": " + e.Text }

var errValue = errors.New("malformed value")
