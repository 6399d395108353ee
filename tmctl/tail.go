package main

import "taskmaster/lib/proto"

var tailCommand = command{
	name:  "tail",
	args:  "[-f] [-n N] INSTANCE [stdout|stderr]",
	about: "print the last lines that a program wrote",
	detail: `On a terminal control characters are shown escaped; into a pipe or file the
bytes go as the program wrote them. A program whose output is discarded, or
inherited from tmd, has none: the exit code is 1.`,
	options:  tailOptions,
	operands: []operand{oneInstance, streamName},
	min:      1, max: 2,
	run: runTail,
}

// tailOptions are those of tail and log.
var tailOptions = []option{
	{'f', "", "go on with what is written from now on, until ^C"},
	{'n', "N", "print N lines instead of 10"},
}

// runTail runs tail and log.
func runTail(s *session, c *call) error {
	if c.has('f') {
		s.out.watchReader()
	}
	return s.do(func(r proto.Reply) {
		if r.Kind != proto.KindAnswer {
			return
		}
		s.raw(r.Text)
		if c.has('f') {
			s.out.flush()
		}
	}, c.words...)
}

// raw prints one line of a program's output, which came as one encoded word.
func (s *session) raw(word string) {
	text := decoded(word)
	if s.screen != nil {
		text = escapeBut(text, "\t")
	}
	s.out.Write([]byte(text + "\n"))
}
