package main

import (
	"fmt"
	"strings"
)

var helpCommand = command{
	name:     "help",
	args:     "[COMMAND]",
	about:    "list the commands, or tell of one",
	operands: []operand{commandName},
	max:      1,
	run:      runHelp,
}

func runHelp(s *session, c *call) error {
	if len(c.args) == 0 {
		for _, one := range s.commands {
			fmt.Fprintf(s.out, "%-44s %s\n", one.usage(), one.about)
		}
		return nil
	}
	one := s.find(c.args[0])
	if one == nil {
		return s.unknown(c.args[0])
	}
	fmt.Fprintf(s.out, "%s\n    %s\n", one.usage(), one.about)
	if one.alias != "" {
		fmt.Fprintf(s.out, "    also: %s\n", one.alias)
	}
	for _, o := range one.options {
		fmt.Fprintf(s.out, "  %-9s %s\n", strings.TrimSpace("-"+string(o.letter)+" "+o.value), o.about)
	}
	if one.detail != "" {
		fmt.Fprintln(s.out, one.detail)
	}
	return nil
}
