package main

import (
	"fmt"
	"slices"

	"taskmaster/lib/event"
	"taskmaster/lib/statedir"
)

// manyInstances is the number above which a job shows its progress.
const manyInstances = 10

// progress is the line `412/1000 running` below the lines of a job. A nil
// progress shows nothing.
type progress struct {
	session *session
	goal    string // the state that the job is for, as an event
	total   int
	done    map[string]bool
	shown   bool
}

// newProgress returns the progress of a job for many instances on a
// terminal, nil for any other.
func newProgress(s *session, c *call) *progress {
	if !s.screen.moves() {
		return nil
	}
	all, err := s.instances(c.args)
	if err != nil || len(all) <= manyInstances {
		return nil
	}
	p := &progress{session: s, goal: event.Running, total: len(all), done: map[string]bool{}}
	if c.command.name == "stop" {
		p.goal = event.Stopped
	}
	for _, i := range all {
		if p.arrived(i) && c.command.name != "restart" {
			p.done[i.name] = true
		}
	}
	p.draw()
	s.out.flush()
	return p
}

// arrived says whether an instance is where the job would have it already.
func (p *progress) arrived(i instance) bool {
	goals := []string{statedir.Running}
	if p.goal == event.Stopped {
		goals = []string{statedir.Stopped, statedir.Exited, statedir.Fatal}
	}
	return slices.Contains(goals, i.state)
}

// count takes an event into account.
func (p *progress) count(e *event.Event) {
	if p == nil {
		return
	}
	switch e.Kind {
	case p.goal:
		p.done[e.Name] = true
	case event.Backoff, event.Fatal, event.Exited:
		delete(p.done, e.Name)
	}
}

// arrive notes that an instance is where it should be by the daemon's final
// word, which may come before, or without, the event.
func (p *progress) arrive(name string) {
	if p != nil && !p.done[name] {
		p.done[name] = true
		p.clear()
		p.draw()
		p.session.out.flush()
	}
}

// draw shows the line; the cursor stays on it.
func (p *progress) draw() {
	if p != nil {
		fmt.Fprintf(p.session.out, "%d/%d %s", len(p.done), p.total, p.goal)
		p.shown = true
	}
}

// clear takes the line away again.
func (p *progress) clear() {
	if p != nil && p.shown {
		fmt.Fprint(p.session.out, "\r\x1b[K")
		p.shown = false
	}
}
