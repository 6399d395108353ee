package main

var restartCommand = command{
	name:     "restart",
	args:     "[-n] [-t SECS] TARGET ...",
	about:    "stop instances, then start them, and wait for both",
	detail:   `An instance that is down is started.`,
	options:  jobOptions,
	operands: []operand{anyTarget},
	min:      1, max: -1,
	run: runJob,
}
