package main

var signalCommand = command{
	name:  "signal",
	args:  "SIG TARGET ...",
	about: "send a signal to the programs",
	detail: `SIG is a name, with or without SIG, or a number. Only the program itself gets
it, not its children.`,
	operands: []operand{signalName, runningTarget},
	min:      2, max: -1,
	run: func(s *session, c *call) error { return s.do(s.results("signalled"), c.words...) },
}
