package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"taskmaster/lib/die"
	"taskmaster/lib/nearest"
	"taskmaster/lib/proto"
)

// A session is where commands run: the same for a single command, a script
// and the shell.
type session struct {
	in  io.Reader
	out *output // what was asked for
	err io.Writer

	terminal    restorer
	keys        *os.File // what keyboard returns
	screen      *screen  // the terminal that out is, nil when it is none
	interactive bool     // commands are typed in the shell
	leaving     bool     // quit was asked for
	// until is done by ^C, and when nobody reads the output any more.
	until context.Context

	commands      []*command
	daemon        *location
	client        *proto.Client // nil when not connected
	instanceNames instanceNames // for completion
}

func newSession(in io.Reader, out, err *os.File) *session {
	s := &session{in: in, out: newOutput(out), err: err}
	s.until = s.out.open
	if isTerminal(out) {
		s.screen = &screen{file: out}
	}
	return s
}

// run runs one command, its name and words, and returns its exit code.
func (s *session) run(words []string) int {
	c := s.find(words[0])
	if c == nil {
		return s.report(s.unknown(words[0]))
	}
	parsed, err := c.parse(words)
	if err != nil {
		return s.report(err)
	}
	code := s.report(c.run(s, parsed))
	s.out.flush()
	return code
}

// unknown is the error for a word that is no command.
func (s *session) unknown(word string) error {
	text := "no such command: " + word
	if near := nearest.Of(word, s.commandNames()); near != "" {
		text += " (did you mean " + near + "?)"
	}
	return &failure{code: die.Usage, text: text}
}

// connect makes sure that there is a connection, unless ctx is done before.
func (s *session) connect(ctx context.Context) error {
	if s.client != nil && s.client.Alive() {
		return nil
	}
	s.disconnect()
	client, err := s.daemon.dial(ctx, floodPatience)
	s.client = client
	return err
}

func (s *session) disconnect() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}

// heedInterrupt has ^C end the command that runs from now to the call of end,
// or the next one to run. A second ^C has its usual effect.
func (s *session) heedInterrupt() (end func()) {
	ctx, stop := signal.NotifyContext(s.out.open, os.Interrupt)
	context.AfterFunc(ctx, stop)
	s.until = ctx
	return stop
}

// do makes one request and calls each for every line of the reply. ^C, and
// the end of whoever reads the output, end the request.
func (s *session) do(each func(proto.Reply), words ...string) error {
	_, err := s.ask(each, words...)
	return err
}

// ask is do for a request whose +OK has a text.
func (s *session) ask(each func(proto.Reply), words ...string) (string, error) {
	text, err := s.exchange(each, words)
	switch {
	case s.out.broken():
		return text, nil // nobody is left to hear of anything
	case s.until.Err() != nil:
		s.leaving = s.leaving || !s.interactive // ^C ends a script, not the shell
		if s.interactive {
			fmt.Fprintln(s.out) // the terminal showed ^C where the cursor was
		}
	}
	return text, err
}

// exchange sends a request and takes its reply, once there is a connection.
func (s *session) exchange(each func(proto.Reply), words []string) (string, error) {
	if err := s.connect(s.until); err != nil {
		if s.until.Err() != nil {
			err = failed(die.Failed, "interrupted")
		}
		return "", err
	}
	text, err := s.client.Do(s.until, each, words...)
	var refused *proto.Error
	switch {
	case err == nil:
	case !errors.As(err, &refused):
		s.disconnect()
	case s.until.Err() != nil && refused.Word == proto.State:
		err = failed(die.Failed, "interrupted; what was begun goes on")
	}
	return text, err
}
