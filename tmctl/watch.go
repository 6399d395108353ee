package main

import (
	"fmt"

	"taskmaster/lib/event"
	"taskmaster/lib/proto"
)

var watchCommand = command{
	name:  "watch",
	args:  "[EVENT ...]",
	about: "follow what happens, until ^C",
	detail: `EVENT is the third word of an event line, such as fatal; without any, all are
shown. On a terminal they are told in words, into a pipe or file they go as
event lines (tm-event(5)).`,
	operands: []operand{eventName},
	max:      -1,
	run:      runWatch,
}

func runWatch(s *session, c *call) error {
	s.out.watchReader()
	return s.do(func(r proto.Reply) {
		if r.Kind != proto.KindEvent {
			return
		}
		fmt.Fprintln(s.out, s.eventLine(r.Text))
		s.out.flush()
	}, c.words...)
}

// eventLine is an event as watch shows it.
func (s *session) eventLine(text string) string {
	e, err := event.Parse(text)
	if s.screen == nil || err != nil {
		return escape(text)
	}
	return e.Time.Local().Format("15:04:05") + " " + escape(e.Name) + ": " +
		s.paint(eventColors[e.Kind], inWords(&e))
}
