package main

import (
	"fmt"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
)

var pidCommand = command{
	name:  "pid",
	args:  "[TARGET]",
	about: "print the process ids, without a target that of tmd",
	detail: `What does not run has no process id: nothing is printed for it on standard
output, and the exit code is 1.`,
	operands: []operand{runningTarget},
	max:      1,
	run:      runPid,
}

func runPid(s *session, c *call) error {
	var down []string
	err := s.do(func(r proto.Reply) {
		name, pid, _ := strings.Cut(r.Text, " ")
		if pid == "0" || pid == "" {
			down = append(down, decoded(name))
			return
		}
		fmt.Fprintln(s.out, escape(pid))
	}, c.words...)
	if err == nil && len(down) > 0 {
		return failed(die.Failed, "not running: %s", strings.Join(down, " "))
	}
	return err
}
