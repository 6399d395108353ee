package main

import (
	"fmt"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// An illness is told once, and its end too, whatever becomes of tmd between:
// it is written down. Where there is no room for that it is told all the same.

func (in *instance) fallIll(c *checking) {
	in.ill = true
	text := illnessOf(c.who) + c.sick + "\n"
	if err := statedir.Replace(in.run.Illness(), []byte(text)); err != nil {
		die.Warn("unable to write "+in.run.Illness(), err)
	}
}

func (in *instance) getWell() {
	in.ill = false
	if err := unix.Unlink(in.run.Illness()); err != nil && err != unix.ENOENT {
		die.Warn("unable to remove "+in.run.Illness(), err)
	}
}

// resumeIllness takes up what the tmd before has told. What is only reported
// is not told again of the same process; where a restart is to follow, it is.
func (in *instance) resumeIllness(c *checking) {
	text, err := statedir.ReadPublished(in.run.Illness(), 4096)
	if err != nil {
		return
	}
	in.ill = true
	sick, same := strings.CutPrefix(string(text), illnessOf(c.who))
	if same && c.conf.Action == "report" {
		c.sick = strings.TrimSuffix(sick, "\n")
	}
}

// illnessOf is how the line about a process begins.
func illnessOf(who process) string { return fmt.Sprintf("%d %d ", who.pid, who.start) }
