package main

import (
	"slices"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/statedir"
)

var waitCommand = command{
	name:     "wait",
	args:     "[-t SECS] TARGET STATE",
	about:    "wait until instances are in a state",
	detail:   `STATE is one of ` + strings.Join(statedir.States[:], " ") + `, in either case.`,
	options:  []option{{'t', "SECS", "wait at most that long; then the exit code is 1"}},
	operands: []operand{anyTarget, stateName},
	min:      2, max: 2,
	run: runWait,
}

func runWait(s *session, c *call) error {
	if state := c.args[1]; !statedir.IsState(state) {
		return &failure{code: die.Usage, text: "wait: no such state: " + state, usage: c.command.usage()}
	}
	last := len(c.words) - 1
	return s.do(nil, append(slices.Clone(c.words[:last]), strings.ToLower(c.words[last]))...)
}
