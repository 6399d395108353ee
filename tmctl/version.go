package main

import (
	"fmt"

	"taskmaster/lib/proto"
)

var versionCommand = command{
	name:  "version",
	about: "print the version of tmd",
	run:   runWords,
}

// runWords prints what the daemon has to say.
func runWords(s *session, c *call) error {
	text, err := s.ask(func(r proto.Reply) {
		if r.Kind == proto.KindAnswer {
			fmt.Fprintln(s.out, escape(decoded(r.Text)))
		}
	}, c.words...)
	if err == nil && text != "" && c.command.name != "version" {
		fmt.Fprintln(s.out, escape(text))
	}
	return err
}
