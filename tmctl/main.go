// Tmctl is the control shell and the one-shot client of tmd. tmctl(1) is its
// manual.
//
//	tmctl [-c FILE] [-d STATE] [-s HOST:PORT] [-k SECRETFILE] [COMMAND [ARG ...]]
//
// Without a command it opens a shell on a terminal, and otherwise reads
// commands from standard input, a line each. All three ways run the same
// code through a session.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

const synopsis = "tmctl [-c FILE] [-d STATE] [-s HOST:PORT] [-k SECRETFILE] [COMMAND [ARG ...]]"

// commands is the one table from which running, help and completion come.
// The order is that of help.
var commands = []*command{
	&statusCommand, &startCommand, &stopCommand, &restartCommand,
	&reloadCommand, &shutdownCommand, &signalCommand, &pidCommand,
	&showCommand, &tailCommand, &logCommand, &watchCommand, &waitCommand,
	&topCommand, &usageCommand, &upgradeCommand, &rekeyCommand, &mailCommand,
	&versionCommand, &helpCommand, &historyCommand, &completeCommand,
	&quitCommand,
}

func main() {
	die.Name = "tmctl"
	defer die.OnPanic()
	given, words, err := proto.ParseOptions("c:d:s:k:", os.Args[1:])
	if err != nil {
		die.UsageError(escape(err.Error()), synopsis)
	}
	// With SIGPIPE ignored a write to a pipe that nobody reads is an error
	// like any other, and a request that streams can be ended in order.
	signal.Ignore(syscall.SIGPIPE)

	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.daemon = locationOf(given)
	s.commands = commands
	os.Exit(s.main(words))
}

// main runs the command, the shell or the script and returns the exit code.
func (s *session) main(words []string) int {
	code := die.OK
	switch {
	case len(words) > 0:
		defer s.heedInterrupt()()
		code = s.run(words)
	case s.screen != nil && isTerminal(os.Stdin):
		code = s.shell()
	default:
		defer s.heedInterrupt()()
		code = s.script()
	}
	if err := s.out.close(); err != nil {
		fmt.Fprint(s.err, die.Message("unable to write", err))
		code = max(code, die.Temporary)
	}
	return code
}
