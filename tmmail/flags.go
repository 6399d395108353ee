package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const synopsis = "tmmail [-c FILE] [-d STATE] [-s HOST:PORT] [-f FROM] [-t TO] [-S SPOOLDIR] [-g WAIT] [-i INTERVAL]" +
	" [-e EVENTS] [-n INSTANCES] [-m MAXPERHOUR] [-tls starttls|tls|none] [-u USER] [-p PASSWORDFILE]" +
	" [-sendmail PATH] [-test]"

// flagKeys are the flags that stand for a key of the `mail:` map, and -n,
// which has none.
var flagKeys = map[string]string{
	"t": "to", "f": "from", "s": "server", "tls": "tls", "u": "user", "p": "password_file", "S": "spool",
	"e": "events", "g": "group_wait", "i": "group_interval", "m": "max_per_hour", "n": "instances",
}

// A usageError is a mistake on the command line, answered with the synopsis.
type usageError struct{ error }

// parseArgs reads the command line and, before it, the file that -c names: a
// flag overrides the file's key, a repeated -t, -e or -n adds, of the others
// the last counts. The error is a usageError or, for the file and the values,
// an error in words.
func parseArgs(args []string) (*settings, error) {
	s := defaultSettings()
	given := map[string][]string{}
	flags := flag.NewFlagSet("tmmail", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for name, key := range flagKeys {
		flags.Func(name, "", func(value string) error {
			given[key] = append(given[key], value)
			return nil
		})
	}
	file := flags.String("c", "", "")
	flags.StringVar(&s.State, "d", s.State, "")
	flags.StringVar(&s.Sendmail, "sendmail", "", "")
	flags.BoolVar(&s.Test, "test", false, "")
	if err := flags.Parse(args); err != nil {
		return nil, usageError{flagError(err)}
	}
	if flags.NArg() > 0 {
		return nil, usageError{fmt.Errorf("unknown argument %q", flags.Arg(0))}
	}
	if *file != "" {
		if err := s.readMailMap(*file); err != nil {
			return nil, err
		}
	}
	if err := s.apply(given); err != nil {
		return nil, err
	}
	return s, s.finish()
}

// flagError says what is wrong with a flag in the words of our other programs.
func flagError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return errors.New("")
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
		return errors.New("unknown option " + name)
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: "); ok {
		return errors.New("option " + name + " needs a value")
	}
	return err
}

// apply sets the keys that were given as flags.
func (s *settings) apply(given map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(flagKeys)) {
		key := flagKeys[name]
		words := given[key]
		if words == nil {
			continue
		}
		if s.list(key) == nil {
			words = words[len(words)-1:]
		}
		if err := s.set(key, words); err != nil {
			return fmt.Errorf("-%s: %w", name, err)
		}
	}
	return nil
}
