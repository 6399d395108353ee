package main

import (
	"errors"
	"fmt"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

var reloadCommand = command{
	name:  "reload",
	args:  "[-n]",
	about: "read the configuration file again",
	detail: `Prints what changes, a line each:
  + web:3                        added
  - old:0                        removed
  ~ db:0 restart (cmd, env)      restarted, and why
  . web:0 stoptime 10s -> 5s     changed in place
A file with mistakes changes nothing; each mistake is printed.`,
	options: []option{{'n', "", "only print what would change"}},
	run:     runReload,
}

func runReload(s *session, c *call) error {
	err := s.do(func(r proto.Reply) {
		if r.Kind != proto.KindAnswer {
			return
		}
		if r.Text == "" || !strings.Contains("+-~.", r.Text[:1]) {
			s.mistake(r.Text)
			return
		}
		fmt.Fprintln(s.out, s.paint(planColors[r.Text[0]], escape(r.Text)))
		s.out.flush()
	}, c.words...)
	// A file with mistakes is no wrong usage of reload.
	var refused *proto.Error
	if errors.As(err, &refused) && refused.Word == proto.Bad {
		return failed(die.Failed, "%s", refused.Error())
	}
	return err
}

// planColors tell additions from removals.
var planColors = map[byte]color{'+': green, '-': red, '~': yellow}

// mistake prints one mistake of the configuration file, no part of the answer.
func (s *session) mistake(text string) {
	s.out.flush()
	fmt.Fprintln(s.err, escape(text))
}
