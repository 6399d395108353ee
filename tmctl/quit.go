package main

var quitCommand = command{
	name:  "quit",
	alias: "exit",
	about: "leave the shell; tmd and the programs go on",
	run: func(s *session, c *call) error {
		s.leaving = true
		return nil
	},
}
