package spec

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/line"
)

// usualSize is what most specs fit in, with an environment of 2 KiB.
const usualSize = 4 << 10

// Text returns the spec in the form of the file.
func (s *Spec) Text() []byte {
	w := writer{make([]byte, 0, usualSize)}
	w.line("version", strconv.Itoa(Version))
	w.line("name", s.Name)
	w.line("program", s.Program)
	w.line("num", strconv.Itoa(s.Num))
	w.line("state", s.State)
	s.writeLaunch(&w)
	s.writePolicy(&w)
	for _, k := range s.Keys {
		kind := "policy"
		if k.Launch {
			kind = "launch"
		}
		w.line("was", kind, k.Name+"="+k.Value)
	}
	return w.text
}

func (s *Spec) writeLaunch(w *writer) {
	w.line("cmd", s.Cmd...)
	for _, entry := range s.Env {
		w.line("env", entry)
	}
	if s.Dir != "" {
		w.line("dir", s.Dir)
	}
	if s.Umask != Inherit {
		w.line("umask", strconv.FormatInt(int64(s.Umask), 8))
	}
	if s.User != nil {
		w.line("user", numbers(append([]int{s.User.UID, s.User.GID}, s.User.Groups...))...)
	}
	if s.NoNewPrivs {
		w.line("no_new_privs", "true")
	}
	w.output("stdout", s.Stdout)
	w.output("stderr", s.Stderr)
	for _, l := range s.Limits {
		w.line("limit", l.Name, strconv.FormatUint(l.Value, 10))
	}
	if s.Nice != nil {
		w.line("nice", strconv.Itoa(*s.Nice))
	}
	if s.OOMScoreAdj != nil {
		w.line("oom_score_adj", strconv.Itoa(*s.OOMScoreAdj))
	}
	w.line("background", s.Background)
	if s.TimerSlack != 0 {
		w.line("timerslack", strconv.Itoa(s.TimerSlack))
	}
}

func (s *Spec) writePolicy(w *writer) {
	w.line("restart", s.Restart)
	w.line("exitcodes", numbers(s.ExitCodes)...)
	w.line("starttime", s.StartTime.String())
	w.line("startretries", strconv.Itoa(s.StartRetries))
	w.line("stopsignal", strconv.Itoa(s.StopSignal))
	w.line("stoptime", s.StopTime.String())
	w.line("stopgroup", s.StopGroup)
	w.line("backoff", s.BackoffFirst.String(), s.BackoffMax.String())
	if s.Ready.Kind != "" {
		w.line("ready", s.Ready.Kind, strconv.Itoa(s.Ready.FD), s.Ready.Timeout.String())
	}
	if s.Watchdog > 0 {
		w.line("watchdog", s.Watchdog.String())
	}
}

type writer struct{ text []byte }

func (w *writer) line(key string, words ...string) {
	w.text = append(w.text, key...)
	for _, word := range words {
		w.text = append(w.text, ' ')
		if word == "" {
			// An empty word would vanish between two spaces; a bare "%" is
			// no encoding of anything else.
			w.text = append(w.text, '%')
		}
		w.text = line.Append(w.text, word)
	}
	w.text = append(w.text, '\n')
}

func (w *writer) output(key string, o Output) {
	if o.Path == "" {
		w.line(key, o.Kind)
	} else {
		w.line(key, o.Kind, o.Path)
	}
}

func numbers(list []int) []string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return words
}

// Parse reads a spec; what the text does not say is as in Default. The error
// is a *SyntaxError.
func Parse(text []byte) (*Spec, error) {
	s := new(Spec)
	d := decoder{keep: true}
	if err := d.read(s, text); err != nil {
		return nil, err
	}
	return s, nil
}

// Read is Parse for a tmsupervise: into memory that it has, and with Sums in
// place of Keys. s is spoilt by an error.
func (s *Spec) Read(text []byte) error {
	d := decoder{}
	return d.read(s, text)
}

// A decoder puts all words of a spec into one block of memory. A tmsupervise
// holds its spec for life, and words of every length on the heap would cost
// each of its copies 8 kB per size class.
type decoder struct {
	spec  *Spec
	keep  bool // Keys, not their Sums
	block strings.Builder
	words []string // of the present line
}

func (d *decoder) read(s *Spec, text []byte) error {
	*s = defaults()
	d.spec = s
	d.block.Grow(len(text)) // decoding only makes words shorter
	d.words = make([]string, 0, 16)
	if n := bytes.Count(text, []byte("\nenv ")); n > 0 {
		s.Env = make([]string, 0, n)
	}
	if n := bytes.Count(text, []byte("\nwas ")); n > 0 && d.keep {
		s.Keys = make([]Key, 0, n)
	}
	if !d.keep {
		s.Sums = noKeys
	}
	version := 0
	for row := 1; len(text) > 0; row++ {
		var whole []byte
		whole, text, _ = bytes.Cut(text, []byte("\n"))
		if err := d.line(whole, &version); err != nil {
			return &SyntaxError{row, err.Error()}
		}
	}
	if version != Version {
		return &SyntaxError{1, "version " + strconv.Itoa(version) + ", this program reads version " + strconv.Itoa(Version)}
	}
	if s.Name == "" || len(s.Cmd) == 0 {
		return &SyntaxError{1, "name or cmd is missing"}
	}
	return nil
}

func (d *decoder) line(whole []byte, version *int) error {
	key, rest, _ := bytes.Cut(whole, []byte(" "))
	if len(key) == 0 {
		return nil
	}
	words, err := d.split(rest)
	if err != nil {
		return err
	}
	v := value{words: words}
	switch string(key) {
	case "version":
		*version = v.number(0)
	case "was":
		d.setting(v.setting())
	default:
		d.spec.set(string(key), &v)
	}
	if v.bad {
		return errors.New(string(key) + ": " + errValue.Error())
	}
	return nil
}

func (d *decoder) setting(k Key) {
	if d.keep {
		d.spec.Keys = append(d.spec.Keys, k)
	} else {
		d.spec.Sums.add(k)
	}
}

// split returns the words of a line; the slice is valid until the next call.
func (d *decoder) split(rest []byte) ([]string, error) {
	d.words = d.words[:0]
	for len(rest) > 0 {
		var field []byte
		field, rest, _ = bytes.Cut(rest, []byte(" "))
		if len(field) == 0 {
			continue
		}
		word, err := d.decode(field)
		if err != nil {
			return nil, err
		}
		d.words = append(d.words, word)
	}
	return d.words, nil
}

// decode is line.Decode, but a bare "%" is the empty word, see writer.line.
func (d *decoder) decode(field []byte) (string, error) {
	from := d.block.Len()
	if string(field) == "%" {
		return "", nil
	}
	if err := line.DecodeTo(&d.block, field); err != nil {
		return "", err
	}
	return d.block.String()[from:], nil
}

// A value is what follows a key; the first word that does not fit makes it
// bad.
type value struct {
	words []string
	bad   bool
}

func (v *value) word(i int) string {
	if i >= len(v.words) {
		v.bad = true
		return ""
	}
	if strings.IndexByte(v.words[i], 0) >= 0 {
		v.bad = true
	}
	return v.words[i]
}

func (v *value) number(i int) int {
	n, err := strconv.Atoi(v.word(i))
	v.bad = v.bad || err != nil
	return n
}

func (v *value) duration(i int) time.Duration {
	d, err := time.ParseDuration(v.word(i))
	v.bad = v.bad || err != nil || d < 0
	return d
}

func (v *value) oneOf(allowed ...string) string {
	word := v.word(0)
	for _, a := range allowed {
		if word == a {
			return word
		}
	}
	v.bad = true
	return ""
}

// all returns the words, of which there must be one, in memory of their own.
func (v *value) all() []string {
	v.word(0)
	for i := range v.words {
		v.word(i)
	}
	return append([]string(nil), v.words...)
}

func (v *value) numbers() []int {
	var list []int
	for i := range v.words {
		list = append(list, v.number(i))
	}
	return list
}

// id refuses -1, in either size, which setresuid(2) takes for "leave it".
func (v *value) id(i int) int {
	n, err := strconv.ParseUint(v.word(i), 10, 32)
	v.bad = v.bad || err != nil || n == 1<<32-1
	return int(n)
}

func (v *value) ids(from int) []int {
	var list []int
	for i := from; i < len(v.words); i++ {
		list = append(list, v.id(i))
	}
	return list
}

func (v *value) output() Output {
	o := Output{Kind: v.oneOf(Discard, InheritFile, File, Log, SameAsOut)}
	if o.Kind == File || o.Kind == Log {
		o.Path = v.word(1)
		v.bad = v.bad || o.Path == ""
	}
	return o
}

// maxReadyFD bounds the descriptor of Notify, below the usual soft limit on
// open files (1024).
const maxReadyFD = 1023

// set takes in one line; a key that it does not know changes nothing. It is a switch
// and not a map of functions, which every helper would build at its start.
func (s *Spec) set(key string, v *value) {
	switch key {
	case "name":
		s.Name = v.word(0)
	case "program":
		s.Program = v.word(0)
	case "num":
		s.Num = v.number(0)
	case "state":
		s.State = v.word(0)
	default:
		s.setLaunch(key, v)
		s.setPolicy(key, v)
	}
}

func (s *Spec) setLaunch(key string, v *value) {
	switch key {
	case "cmd":
		s.Cmd = v.all()
	case "env":
		s.Env = append(s.Env, v.word(0))
	case "dir":
		s.Dir = v.word(0)
	case "umask":
		setUmask(s, v)
	case "user":
		s.User = &User{v.id(0), v.id(1), v.ids(2)}
	case "no_new_privs":
		s.NoNewPrivs = v.oneOf("true", "false") == "true"
	case "stdout":
		s.Stdout = v.output()
	case "stderr":
		s.Stderr = v.output()
	case "limit":
		setLimit(s, v)
	case "nice":
		n := v.number(0)
		s.Nice = &n
	case "oom_score_adj":
		n := v.number(0)
		s.OOMScoreAdj = &n
	case "timerslack":
		s.TimerSlack = v.number(0)
		v.bad = v.bad || s.TimerSlack <= 0
	case "background":
		s.Background = v.oneOf(Kill, Follow)
	}
}

func (s *Spec) setPolicy(key string, v *value) {
	switch key {
	case "restart":
		s.Restart = v.oneOf(Always, Never, Unexpected)
	case "exitcodes":
		s.ExitCodes = v.numbers()
	case "starttime":
		s.StartTime = v.duration(0)
	case "startretries":
		s.StartRetries = v.number(0)
	case "stopsignal":
		s.StopSignal = v.number(0)
	case "stoptime":
		s.StopTime = v.duration(0)
	case "stopgroup":
		s.StopGroup = v.oneOf(Tree, Group, Process)
	case "backoff":
		s.BackoffFirst, s.BackoffMax = v.duration(0), v.duration(1)
	case "ready":
		s.Ready = Ready{v.oneOf(Notify, SdNotify, Probed), v.number(1), v.duration(2)}
		v.bad = v.bad || s.Ready.Kind == Notify && (s.Ready.FD < 3 || s.Ready.FD > maxReadyFD)
	case "watchdog":
		s.Watchdog = v.duration(0)
	}
}

func setUmask(s *Spec, v *value) {
	n, err := strconv.ParseUint(v.word(0), 8, 9)
	v.bad = v.bad || err != nil
	s.Umask = int(n)
}

func setLimit(s *Spec, v *value) {
	n, err := strconv.ParseUint(v.word(1), 10, 64)
	v.bad = v.bad || err != nil
	s.Limits = append(s.Limits, Limit{v.word(0), n})
}

func (v *value) setting() Key {
	kind := v.oneOf("launch", "policy")
	name, text, ok := strings.Cut(v.word(1), "=")
	v.bad = v.bad || !ok
	return Key{name, text, kind == "launch"}
}
