package main

import (
	"bufio"
	"errors"

	"github.com/google/shlex"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

// script runs the commands that standard input holds, a line each, and
// returns the worst exit code. Words are split as a shell splits them; `#`
// begins a comment.
func (s *session) script() int {
	lines := bufio.NewScanner(s.in)
	lines.Buffer(nil, proto.MaxRequest)
	worst := die.OK
	for !s.leaving && !s.out.broken() && lines.Scan() {
		worst = max(worst, s.line(lines.Text()))
	}
	switch err := lines.Err(); {
	case err == nil:
	case errors.Is(err, bufio.ErrTooLong):
		worst = max(worst, s.report(failed(die.Usage, "a line of standard input is too long")))
	default:
		worst = max(worst, s.report(failed(die.Temporary, "unable to read standard input: %s", die.Reason(err))))
	}
	return worst
}

// line runs one line of a script or of the shell; an empty one does nothing.
func (s *session) line(text string) int {
	words, err := shlex.Split(text)
	switch {
	case err != nil:
		return s.report(failed(die.Usage, "%s", err))
	case len(words) == 0:
		return die.OK
	}
	return s.run(words)
}
