// Package config reads the YAML file of taskmaster.yaml(5) into the programs
// that it describes, all mistakes at once, and tells what differs between
// two readings. Nothing past tmd knows YAML.
//
// A reading goes from the file (find.go) to a tree of YAML nodes that is safe
// to walk (tree.go, syntax.go), whose maps become settings (mapping.go). The
// table in program.go says who reads which key; a reader gets the value of
// its key, sets the fields of the instance, and returns the value in canonical
// text. What is wrong is collected (mistake.go), never returned: after a
// mistake a reader goes on with any harmless value, since the whole is thrown
// away at the end.
package config

import (
	"os"
	"time"
)

// A File is one configuration that was read without a mistake.
type File struct {
	Path     string // as it was opened
	Settings Settings
	Programs []*Program // in the order of the file
	Warnings []string   // "file:line:col: warning: message", said but not fatal
}

// Settings is the `taskmaster:` map with its defaults filled in. Paths are
// expanded but, when relative, still relative to tmd's directory; only
// Log.File is absolute.
type Settings struct {
	Listen         string // "127.0.0.1:4242"
	State          string // "" when the file does not say
	Secret         string // "" for STATE/secret
	ReadonlySecret string // "" for none
	Auth           string // "secret" or "none"
	Log            *Log   // the event log; nil for STATE/taskmaster.log
	Mail           *Mail  // nil when there is no mail: map
}

// A Log is a log map: what one tmlog does.
type Log struct {
	File      string        // absolute
	MaxBytes  int64         // rotate before the file passes it; 0 never
	Backups   int           // rotated files to keep
	MaxAge    time.Duration // rotate when the file is that old; 0 never
	MaxTotal  int64         // all rotated files together; 0 no limit
	Timestamp string        // "none", "rfc3339" or "tai64n"
	Prefix    string
	Select    []string // "-RE" drops, "+RE" keeps again
	Compress  string   // command for finished files, "" for none
	OnFull    string   // "block", "drop" or "prune"
}

// Mail is the `mail:` map.
type Mail struct {
	To            []string
	From          string
	Server        string
	TLS           string // "starttls", "tls", "none"
	User          string
	PasswordFile  string
	Spool         string
	Events        []string
	GroupWait     time.Duration
	GroupInterval time.Duration
	MaxPerHour    int
}

// A Program is one key under `programs:`.
type Program struct {
	Name      string
	File      string // where it is described: file and line
	Line      int
	Numprocs  int
	Instances []*Instance // Numprocs of them, Num from 0
}

// An Instance is one process to keep.
type Instance struct {
	Name    string // "web:0"
	Program string
	Num     int
	*Values
}

// Values are what is said of an instance, expanded for it. Those of a program
// share one where no value names the instance: it is not to be changed.
type Values struct {
	Description string

	// What fixes the process at its start.
	Cmd            []string
	Env            []string // KEY=VALUE as configured, sorted, without what is inherited
	ClearEnv       bool
	WorkingDir     string // absolute; "" for tmd's
	Umask          int    // -1 for tmd's
	User           *User  // nil for tmd's
	NoNewPrivs     bool
	Stdout, Stderr Output
	Limits         []Limit
	Nice           *int
	OOMScoreAdj    *int
	Background     string // "kill" or "follow"

	// What is done with it.
	Autostart    bool
	Autorestart  string // "always", "never", "unexpected"
	ExitCodes    []int
	StartTime    time.Duration
	StartRetries int
	StopSignal   int
	StopTime     time.Duration
	StopGroup    string // "tree", "group", "process"
	Priority     int
	BackoffFirst time.Duration
	BackoffMax   time.Duration
	Ready        *Probe
	After        []After
	Check        *Check
	Watchdog     time.Duration // 0 for none

	// Keys is the whole of the above in canonical text, one per key of
	// taskmaster.yaml(5), defaults included, in the order of the manual:
	// what `tmctl show` prints and what a reload compares. What is inherited
	// reads "tmd's", and a path as the file has it, so that a tmd started from
	// elsewhere finds nothing changed. A log map is several keys: "stdout" is
	// its path only, and "stdout.maxbytes" and so on are the tmlog's affair.
	// Instances of all programs share those that are the same.
	Keys []*Key
}

// A Key is one setting of an instance.
type Key struct {
	Name   string
	Value  string // canonical: "10s", "022", "[0, 2]", two spellings of one meaning are one text
	Launch bool   // a change restarts the instance
	Line   int    // where it was set; 0 for a default
	File   string // the file of Line
}

// A User is whom a program runs as, resolved.
type User struct {
	Name   string // for USER and LOGNAME, "" when only a group was given
	Home   string
	UID    int
	GID    int
	Groups []int // supplementary
}

// An Output says where a program's stdout or stderr goes.
type Output struct {
	Kind string // "discard", "inherit", "file", "log", "stdout" (stderr only: joined)
	Path string // of file and log, absolute
	Log  *Log   // of log
}

// A Limit is one resource limit; soft and hard are set alike.
type Limit struct {
	Name  string // "nofile", "core", ...
	Value uint64 // Unlimited for `unlimited`
}

// Unlimited is RLIM_INFINITY of getrlimit(2).
const Unlimited = ^uint64(0)

// A Probe says how a program tells, or shows, that it is ready.
type Probe struct {
	Kind     string // "notify", "sd_notify", "tcp", "http", "cmd"
	FD       int    // of notify
	Target   string // host:port of tcp, URL of http
	Cmd      []string
	StatusLo int // of http, 200 to 399 when the file does not say
	StatusHi int
	Timeout  time.Duration
	Interval time.Duration
}

// An After is one thing that must be so before an instance is started.
type After struct {
	Program string
	Until   string // "running" or "exited"
}

// A Check is a health probe of a running instance.
type Check struct {
	Probe
	Failures int
	Action   string // "restart" or "report"
}

// Options is what Load needs of the process that calls it.
type Options struct {
	Getenv   func(string) (string, bool) // for %(ENV_X)s
	Root     bool                        // whether user: and group: can be honoured
	UID      int                         // of the caller; to check who owns the file
	Hostname string                      // for %(host_node_name)s; "" for that of the host
	Dir      string                      // what relative paths are relative to, absolute; "" for the working directory
	// Run runs a command to its end and returns its standard output: for
	// getent(1) and id(1), since tmd reaps its own children.
	Run func(argv ...string) ([]byte, error)
	// Found says that the file was found by default and not named with -c: it
	// must then belong to the caller or root and not be writable by others.
	Found bool
}

// DefaultOptions are those of a process with nothing special.
func DefaultOptions() Options {
	return Options{Getenv: os.LookupEnv, Root: os.Geteuid() == 0, UID: os.Geteuid()}
}
