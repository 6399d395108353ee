package main

var upgradeCommand = command{
	name:  "upgrade",
	about: "have tmd replace itself by the program on disk; no program is touched",
	run:   runWords,
}
