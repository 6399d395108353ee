package main

var rekeyCommand = command{
	name:  "rekey",
	about: "make a new secret; connections that stand stay",
	run:   runWords,
}
