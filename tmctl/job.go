package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/proto"
)

// A job is a request that changes instances, and what it prints: a line for
// each instance as it gets where it should, and for each failed try.
type job struct {
	session  *session
	progress *progress         // nil without one
	told     map[string]string // the last event printed of each instance
	died     map[string]string // how it ended, until what follows is known
}

func newJob(s *session) *job {
	return &job{session: s, told: map[string]string{}, died: map[string]string{}}
}

// runJob runs start, stop or restart.
func runJob(s *session, c *call) error {
	j := newJob(s)
	if !c.has('n') {
		j.progress = newProgress(s, c)
	}
	err := s.do(j.line, c.words...)
	j.tellDeaths()
	j.progress.clear()
	return err
}

// line takes one line of the reply.
func (j *job) line(r proto.Reply) {
	if r.Kind == proto.KindEvent {
		if e, err := event.Parse(r.Text); err == nil {
			j.event(&e)
		}
		return
	}
	j.result(r.Text)
}

// event prints an event that is worth a line. An unexpected end is told with
// the retry or the end of trying that follows it at once.
func (j *job) event(e *event.Event) {
	j.progress.count(e)
	text := inWords(e)
	died := j.died[e.Name]
	delete(j.died, e.Name)
	switch e.Kind {
	case event.Starting, event.Stopping:
		if died == "" {
			return // on the way to another
		}
		text = died
	case event.Exited:
		if e.Get("expected") == "no" {
			j.died[e.Name] = text
			return
		}
	case event.Backoff:
		if died != "" {
			text = died + retryWords(e)
		}
	}
	j.told[e.Name] = e.Kind
	j.print(e.Name, text, eventColors[e.Kind])
}

// eventColors marks what went well and what did not.
var eventColors = map[string]color{
	event.Running: green, event.Fatal: red, event.Backoff: yellow,
	event.Killed: yellow, event.Exited: yellow, event.Unhealthy: red, event.Healthy: green,
}

// result takes the final word on an instance, `NAME ok|fail TEXT`. What its
// last event said already is not said again.
func (j *job) result(text string) {
	name, outcome, words := parseResult(text)
	if died := j.died[name]; died != "" && words == "" {
		words = died
	}
	if outcome == "ok" {
		j.progress.arrive(name)
	}
	last := j.told[name]
	if outcome == "ok" && last != "" && !onTheWay(last, words) || last == event.Fatal || outcome != "ok" && last == event.Waiting {
		return
	}
	paint := color("")
	if outcome != "ok" {
		paint = red
	}
	if words == "" {
		words = outcome
	}
	j.print(name, escape(words), paint)
}

// tellDeaths says how those ended of which no more is to come, since the
// others waited for them in vain.
func (j *job) tellDeaths() {
	for _, name := range slices.Sorted(maps.Keys(j.died)) {
		j.print(name, j.died[name], yellow)
	}
}

// onTheWay reports whether another event follows before the goal is reached;
// the daemon may know of that before it hears the event.
func onTheWay(kind, goal string) bool {
	switch kind {
	case event.Waiting, event.Backoff, event.Killed:
		return true
	case event.Stopped: // the first half of a restart
		return strings.HasPrefix(goal, "running")
	case event.Exited: // by itself, just before it was to be stopped
		return goal == "stopped"
	}
	return false
}

func (j *job) print(name, text string, paint color) {
	between := ": "
	if strings.HasPrefix(text, "still not gone") {
		between = " " // one sentence, which scripts look for
	}
	j.progress.clear()
	fmt.Fprintf(j.session.out, "%s%s%s\n", escape(name), between, j.session.paint(paint, text))
	j.progress.draw()
	j.session.out.flush()
}

// parseResult takes apart `NAME ok|fail TEXT`, the text one encoded word or
// plain words.
func parseResult(text string) (name, outcome, words string) {
	name, rest, _ := strings.Cut(text, " ")
	outcome, words, _ = strings.Cut(rest, " ")
	return decoded(name), outcome, decoded(words)
}

// decoded decodes text where it is encoded, and else leaves it.
func decoded(text string) string {
	if plain, err := line.Decode(text); err == nil {
		return plain
	}
	return text
}

// results prints each `NAME ok|fail TEXT` of a reply; silent is what success
// says when the daemon has no words for it.
func (s *session) results(silent string) func(proto.Reply) {
	return func(r proto.Reply) {
		name, outcome, words := parseResult(r.Text)
		if words == "" {
			words = silent
		}
		paint := color("")
		if outcome != "ok" {
			paint = red
		}
		fmt.Fprintf(s.out, "%s: %s\n", escape(name), s.paint(paint, escape(words)))
	}
}
