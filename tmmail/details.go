package main

import (
	"errors"
	"os"
	"regexp"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"
)

// A details is what the state directory knows of an instance: what was run,
// and what it printed last. All of it is printable text.
type details struct {
	Command  string // as a shell would take it
	Restarts int
	Outputs  []output
	Missing  string // why there is nothing, in words
}

// readDetails reads the instance's spec and status in the state directory and
// the ends of the files that it writes to. What cannot be read is said in the
// result; what is no instance of the state directory is nil.
func readDetails(state, name string) *details {
	run := statedir.Dir(state).Run(name)
	if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\x00") {
		return nil
	}
	text, err := os.ReadFile(run.Spec())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var s *spec.Spec
	if err == nil {
		s, err = spec.Parse(text)
	}
	if err != nil {
		return &details{Missing: "its spec cannot be read: " + printable(die.Reason(err))}
	}
	d := &details{Command: shellWords(redact(s.Cmd))}
	if status, err := run.ReadStatus(); err == nil {
		d.Restarts = status.Restarts
	}
	if s.Stderr.Kind == spec.SameAsOut {
		d.Outputs = []output{readOutput(state, "output", s.Stdout)}
	} else {
		d.Outputs = []output{readOutput(state, "stderr", s.Stderr), readOutput(state, "stdout", s.Stdout)}
	}
	return d
}

var (
	secretName  = `(?i)(pass(word|wd|phrase)?|secret|token|api-?_?key|credentials?)`
	secretValue = regexp.MustCompile(secretName + `=`)
	secretFlag  = regexp.MustCompile(`^-.*` + secretName + `$`)
	secretURL   = regexp.MustCompile(`(://[^/@:\s]*:)[^/@\s]+@`)
)

// redact hides what looks like a password in a command line: mail travels
// further than ps(1) shows.
func redact(words []string) []string {
	const hidden = "***"
	shown := make([]string, len(words))
	hide := false
	for i, word := range words {
		if hide {
			word = hidden
		}
		if at := secretValue.FindStringIndex(word); at != nil {
			word = word[:at[1]] + hidden
		}
		shown[i] = secretURL.ReplaceAllString(word, "${1}"+hidden+"@")
		hide = !hide && secretFlag.MatchString(word)
	}
	return shown
}

// shellWords joins words so that a shell would split them again.
func shellWords(words []string) string {
	var quoted []string
	for _, word := range words {
		shown := printable(word)
		if shown == "" || strings.ContainsAny(shown, " '\"\\$`*?[]#~&;<>|(){}!") {
			shown = "'" + strings.ReplaceAll(shown, "'", `'\''`) + "'"
		}
		quoted = append(quoted, shown)
	}
	return strings.Join(quoted, " ")
}
