package main

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/glob"
	"taskmaster/lib/quantity"
)

// How the connection to the server is protected.
const (
	startTLS    = "starttls" // begun in clear, then TLS or nothing
	implicitTLS = "tls"      // TLS from the first byte
	clearText   = "none"
)

// unexpectedExit is the name, in the list of events, of an `exited` event
// that has expected=no. Where a health check only reports, it stands for that
// report too, since no such exit follows.
const unexpectedExit = "exited-unexpected"

// A settings is what a tmmail was told to do: the keys of the `mail:` map
// under their flags, and what only a flag can say.
type settings struct {
	To            []string // bare addresses
	From          string
	Server        string // host:port
	TLS           string // "" for the default of the server
	User          string
	PasswordFile  string
	Spool         string
	Events        []string
	GroupWait     time.Duration
	GroupInterval time.Duration
	MaxPerHour    int

	Instances []string // globs of instance or program names; none: all
	State     string   // the state directory, "" without one
	Sendmail  string   // a local sendmail instead of Server
	Host      string   // this machine, in subjects and Message-IDs
	Test      bool
}

func defaultSettings() *settings {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return &settings{
		From:          "taskmaster@" + domain(host),
		Server:        "localhost:25",
		Events:        []string{event.Fatal, unexpectedExit, event.ReloadFail, event.LogFull},
		GroupWait:     10 * time.Second,
		GroupInterval: 5 * time.Minute,
		MaxPerHour:    20,
		State:         os.Getenv("TM_STATE"),
		Host:          host,
	}
}

// set gives one key of the `mail:` map its value, the words of a list or a
// single word. It is what the map and the flags have in common.
func (s *settings) set(key string, words []string) error {
	if list := s.list(key); list != nil {
		return setList(key, list, words)
	}
	if len(words) != 1 {
		return errors.New("takes one value, not a list")
	}
	word := words[0]
	switch key {
	case "from":
		return setAddress(&s.From, word)
	case "server":
		return setServer(&s.Server, word)
	case "tls":
		if word != startTLS && word != implicitTLS && word != clearText {
			return fmt.Errorf("%q is none of starttls, tls, none", word)
		}
		s.TLS = word
	case "user":
		return setText(&s.User, word)
	case "password_file":
		return setText(&s.PasswordFile, word)
	case "spool":
		return setText(&s.Spool, word)
	case "group_wait":
		return setDuration(&s.GroupWait, word)
	case "group_interval":
		return setDuration(&s.GroupInterval, word)
	case "max_per_hour":
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > 100000 {
			return fmt.Errorf("%q is no number from 1 to 100000", word)
		}
		s.MaxPerHour = n
	}
	return nil
}

// mailKeys are the keys of the `mail:` map in the order of the manual.
var mailKeys = []string{"to", "from", "server", "tls", "user", "password_file", "spool", "events",
	"group_wait", "group_interval", "max_per_hour"}

func (s *settings) list(key string) *[]string {
	switch key {
	case "to":
		return &s.To
	case "events":
		return &s.Events
	case "instances":
		return &s.Instances
	}
	return nil
}

// setList replaces a list. Each word may itself be several, with commas.
func setList(key string, list *[]string, words []string) error {
	var all []string
	for _, word := range strings.Split(strings.Join(words, ","), ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			continue
		}
		if err := checkWord(key, &word); err != nil {
			return err
		}
		if !slices.Contains(all, word) {
			all = append(all, word)
		}
	}
	if len(all) == 0 {
		return errors.New("is empty")
	}
	*list = all
	return nil
}

func checkWord(key string, word *string) error {
	switch key {
	case "to":
		return setAddress(word, *word)
	case "events":
		return checkEvent(*word)
	}
	if _, err := path.Match(glob.FromShell(*word), ""); err != nil {
		return fmt.Errorf("%q: %w", *word, err)
	}
	return nil
}

// checkEvent accepts every word that can be an event, ours or another
// producer's, but `mail`: mail about mail would never end.
func checkEvent(word string) error {
	if word == event.Mail {
		return errors.New("mail about mail events would be a loop")
	}
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return fmt.Errorf("%q is no event", word)
	}
	return nil
}

// setAddress takes an address of RFC 5322, with or without a display name,
// and keeps the bare address. One that is not ASCII would need SMTPUTF8 (RFC
// 6531) of every server on the way, so it is refused.
func setAddress(to *string, text string) error {
	address, err := mail.ParseAddress(text)
	if err != nil {
		return fmt.Errorf("%q is no mail address", text)
	}
	for _, c := range []byte(address.Address) {
		if c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return fmt.Errorf("%q: only ASCII without spaces is possible in an address", text)
		}
	}
	if again, err := mail.ParseAddress(address.Address); err != nil || again.Address != address.Address {
		return fmt.Errorf("%q: an address that needs quotes is not possible", text)
	}
	*to = address.Address
	return nil
}

func setServer(to *string, text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsAny(host, " \r\n\t/") {
		return fmt.Errorf("%q is not HOST:PORT", text)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is no port from 1 to 65535", port)
	}
	*to = text
	return nil
}

func setText(to *string, text string) error {
	if text == "" || strings.ContainsAny(text, "\x00\r\n") {
		return fmt.Errorf("%q is empty or holds a line end or NUL", text)
	}
	*to = text
	return nil
}

// setDuration takes a number of seconds or a Go duration: 10, 1m30s, 250ms.
func setDuration(to *time.Duration, text string) error {
	d, err := quantity.Duration(text)
	if err != nil {
		return fmt.Errorf("%q is no duration", text)
	}
	*to = d
	return nil
}

// finish fills in what depends on several settings and says what is missing
// or impossible.
func (s *settings) finish() error {
	if len(s.To) == 0 {
		return errors.New("nobody to mail to: give -t or the key to")
	}
	if s.TLS == "" {
		s.TLS = startTLS
		if host, _, _ := net.SplitHostPort(s.Server); loopback(host) {
			s.TLS = clearText
		}
	}
	if (s.User == "") != (s.PasswordFile == "") {
		return errors.New("user and password_file go together")
	}
	if s.PasswordFile != "" {
		if _, err := readPassword(s.PasswordFile); err != nil {
			return err
		}
	}
	if s.Sendmail != "" && !filepath.IsAbs(s.Sendmail) {
		return fmt.Errorf("-sendmail wants an absolute path, not %q", s.Sendmail)
	}
	if s.Spool == "" {
		s.Spool = defaultSpool(s.State)
	}
	return nil
}

// loopback reports whether a host is this machine whatever the network does.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// defaultSpool is a place that outlives a boot: /var/spool/tmmail for root,
// else below $XDG_STATE_HOME or $HOME/.local/state. Each state directory has
// its own, so that two tmds of one user do not meet.
func defaultSpool(state string) string {
	dir := "/var/spool/tmmail"
	if os.Geteuid() != 0 {
		base := os.Getenv("XDG_STATE_HOME")
		if base == "" {
			base = filepath.Join(os.Getenv("HOME"), ".local/state")
		}
		dir = filepath.Join(base, "tmmail")
	}
	if state == "" {
		return filepath.Join(dir, "default")
	}
	if full, err := filepath.Abs(state); err == nil {
		state = full
	}
	return filepath.Join(dir, strings.ReplaceAll(strings.Trim(state, "/"), "/", ":"))
}
