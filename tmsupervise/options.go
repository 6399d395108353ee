package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/quantity"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"
)

// parseOptions reads the command line into a spec.
func parseOptions(args []string) *spec.Spec {
	s := spec.Default()
	s.Stdout.Kind, s.Stderr.Kind = spec.InheritFile, spec.InheritFile
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		letter, value := word[:2], word[2:]
		if letter == "--" {
			die.UsageError("unknown option "+word, synopsis)
		}
		if !strings.Contains("nrxsRktuCoe", letter[1:]) {
			die.UsageError("unknown option "+letter, synopsis)
		}
		if value == "" {
			if len(args) == 0 {
				die.UsageError("option "+letter+" needs a value", synopsis)
			}
			value, args = args[0], args[1:]
		}
		if !setOption(s, letter[1], value) {
			die.UsageError("option "+letter+": bad value "+strconv.Quote(value), synopsis)
		}
	}
	if len(args) == 0 || args[0] == "" {
		die.UsageError("no command", synopsis)
	}
	s.Cmd = args
	if s.Name == "" {
		s.Name = args[0][strings.LastIndexByte(args[0], '/')+1:]
	}
	s.Program = s.Name
	s.Env = environment(s)
	return s
}

// environment is ours with the names of the program in place of those that a
// tmd may have given us.
func environment(s *spec.Spec) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "TM_NAME=") || strings.HasPrefix(entry, "TM_PROGRAM=") ||
			strings.HasPrefix(entry, "TM_NUM=") || strings.HasPrefix(entry, "TM_STATE=")
	})
	return append(env, "TM_NAME="+s.Name, "TM_PROGRAM="+s.Program, "TM_NUM=0")
}

// setOption reports whether the value fits.
func setOption(s *spec.Spec, letter byte, value string) bool {
	switch letter {
	case 'n':
		s.Name = value
	case 'r':
		s.Restart = value
		return value == spec.Always || value == spec.Never || value == spec.Unexpected
	case 'x':
		return setCodes(s, value)
	case 's':
		return setDuration(&s.StartTime, value)
	case 'R':
		return setNumber(&s.StartRetries, value, 1<<31-1)
	case 'k':
		sig, ok := signame.Parse(value)
		s.StopSignal = int(sig)
		return ok
	case 't':
		return setDuration(&s.StopTime, value)
	case 'u':
		n, err := strconv.ParseUint(strings.TrimPrefix(value, "0o"), 8, 9)
		s.Umask = int(n)
		return err == nil
	case 'C':
		s.Dir = value
	case 'o':
		s.Stdout = spec.Output{Kind: spec.File, Path: value}
	case 'e':
		s.Stderr = spec.Output{Kind: spec.File, Path: value}
	}
	return value != ""
}

func setCodes(s *spec.Spec, list string) bool {
	s.ExitCodes = nil
	for _, word := range strings.Split(list, ",") {
		code := 0
		if !setNumber(&code, word, 255) {
			return false
		}
		s.ExitCodes = append(s.ExitCodes, code)
	}
	return true
}

func setNumber(to *int, text string, most int) bool {
	n, err := strconv.ParseUint(text, 10, 31)
	*to = int(n)
	return err == nil && *to <= most
}

func setDuration(to *time.Duration, text string) bool {
	d, err := quantity.Duration(text)
	*to = d
	return err == nil
}
