package main

var logCommand = command{
	name:    "log",
	args:    "[-f] [-n N]",
	about:   "print the last lines of the event log",
	options: tailOptions,
	run:     runTail,
}
