package main

var startCommand = command{
	name:  "start",
	args:  "[-n] [-t SECS] TARGET ...",
	about: "start instances and wait until they run",
	detail: `A line tells of each instance as it happens and of each failed try. An instance
that runs already is fine. One that ends in FATAL, or that another stops
meanwhile, makes the exit code 1.`,
	options:  jobOptions,
	operands: []operand{stoppedTarget},
	min:      1, max: -1,
	run: runJob,
}

// jobOptions are those of start, stop and restart.
var jobOptions = []option{
	{'n', "", "return at once, do not wait"},
	{'t', "SECS", "wait at most that long; then the exit code is 1 and what was begun goes on"},
}
