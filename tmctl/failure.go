package main

import (
	"errors"
	"fmt"
	"io"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

// A failure is an error that knows its exit code.
type failure struct {
	code  int
	text  string // "" when all that there is to say has been said
	usage string // the line that shows how, "" for none
}

func (f *failure) Error() string { return f.text }

func failed(code int, format string, args ...any) error {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

// codes gives the exit code for the word of a -ERR.
var codes = map[string]int{
	proto.Bad:    die.Usage,
	proto.NoProg: die.Usage,
	proto.State:  die.Failed,
	proto.Some:   die.Failed,
	proto.Denied: die.Unreachable,
	proto.Busy:   die.Temporary,
	proto.Temp:   die.Temporary,
	proto.Bug:    die.Bug,
}

// asFailure gives any error its exit code and its words.
func asFailure(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	var refused *proto.Error
	if errors.As(err, &refused) {
		code, ok := codes[refused.Word]
		if !ok {
			code = die.Failed
		}
		return &failure{code: code, text: refused.Error()}
	}
	if err == io.ErrUnexpectedEOF {
		return &failure{code: die.Unreachable, text: "tmd closed the connection"}
	}
	return &failure{code: die.Unreachable, text: "lost the connection to tmd: " + die.Reason(err)}
}

// report tells of an error on standard error and returns its exit code. The
// shell's user sees the bare sentence, a script who says it as well.
func (s *session) report(err error) int {
	if err == nil {
		return die.OK
	}
	f := asFailure(err)
	s.out.flush() // what was answered comes first
	text := escape(f.text)
	switch {
	case text == "":
	case s.interactive:
		fmt.Fprintln(s.err, s.paint(red, text))
	default:
		fmt.Fprint(s.err, die.Message(text, nil))
	}
	if f.usage != "" {
		prefix := ""
		if !s.interactive {
			prefix = die.Name + ": "
		}
		fmt.Fprintln(s.err, prefix+"usage: "+f.usage)
	}
	return f.code
}
