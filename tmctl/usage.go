package main

import (
	"fmt"
	"strings"

	"taskmaster/lib/line"
	"taskmaster/lib/proto"
)

var usageCommand = command{
	name:  "usage",
	args:  "[TARGET ...]",
	about: "print CPU and memory of each instance and its descendants, for scripts",
	detail: `Tab-separated: name, state, pid, uptime in seconds, restarts, CPU seconds used,
bytes of memory; - for none. It is computed when asked.`,
	operands: []operand{anyTarget},
	max:      -1,
	run:      runUsage,
}

// usageFields is the number of words in a line of the answer.
const usageFields = 7

func runUsage(s *session, c *call) error {
	return s.do(func(r proto.Reply) {
		words, err := line.Words(r.Text)
		if err != nil || len(words) < usageFields {
			return
		}
		words[1] = strings.ToUpper(words[1])
		if words[2] == "0" {
			words[2], words[3] = "-", "-"
		}
		for i := range words {
			words[i] = escape(words[i])
		}
		fmt.Fprintln(s.out, strings.Join(words[:usageFields], "\t"))
	}, c.words...)
}
