package main

var stopCommand = command{
	name:  "stop",
	args:  "[-n] [-t SECS] TARGET ...",
	about: "stop instances and wait until nothing is left of them",
	detail: `An instance that is down already is fine. What is still there 5 seconds after
SIGKILL makes the exit code 1.`,
	options:  jobOptions,
	operands: []operand{runningTarget},
	min:      1, max: -1,
	run: runJob,
}
