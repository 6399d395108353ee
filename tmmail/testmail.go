package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"taskmaster/lib/die"
)

// testMail sends one mail past the spool and tells on out, a line for each
// step, how the server took it. It returns the exit code: OK when every
// recipient was accepted, Usage when trying again would not help, else
// Temporary.
func testMail(s *settings, out io.Writer) int {
	now := time.Now()
	l := &letter{ID: newID(now), From: s.From, To: s.To, Made: now}
	l.Subject = "[" + s.Host + "] test mail of taskmaster"
	l.Text = message(s, l, page{subject: l.Subject, body: "This is a test: mail from taskmaster on " +
		printable(s.Host) + " arrives.\n\nThere is nothing to do.\n"})
	d := deliver(context.Background(), s, l, func(step string) { fmt.Fprintln(out, step) })
	temporary, permanent := false, false
	for _, v := range d.verdicts {
		switch {
		case v.result == sent:
			fmt.Fprintf(out, "%s: sent\n", v.to)
		case v.result == failed || d.hopeless:
			permanent = true
			fmt.Fprintf(out, "%s: not sent: %s\n", v.to, v.reason)
		default:
			temporary = true
			fmt.Fprintf(out, "%s: not sent, may work later: %s\n", v.to, v.reason)
		}
	}
	switch {
	case permanent:
		return die.Usage
	case temporary:
		return die.Temporary
	}
	return die.OK
}
