package main

var mailCommand = command{
	name:     "mail",
	args:     "test",
	about:    "send one test mail and tell what came of it",
	operands: []operand{testWord},
	min:      1, max: 1,
	run: func(s *session, c *call) error {
		if c.args[0] != "test" {
			return c.command.wrong("only `mail test` is known")
		}
		return runWords(s, c)
	},
}
