package main

import "io"

var shutdownCommand = command{
	name:    "shutdown",
	args:    "[-k]",
	about:   "stop tmd, and all programs with it",
	options: []option{{'k', "", "keep the programs running for the next tmd"}},
	run:     runShutdown,
}

func runShutdown(s *session, c *call) error {
	err := s.do(newJob(s).line, c.words...)
	s.disconnect()
	if err == io.ErrUnexpectedEOF {
		return nil // it went before it could say that it goes
	}
	return err
}
