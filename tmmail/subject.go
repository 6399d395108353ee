package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
)

// mostOfSubject bounds a subject in characters.
const mostOfSubject = 160

// subject is the one line that is read on a telephone at night:
//
//	[host] web:0 exited 1 (restart 3, next try in 8 s)
func (n *notifier) subject(groups []*group) string {
	var text string
	switch {
	case len(groups) > 1:
		text = fmt.Sprintf("news of %s, held back by the limit of %d mails in an hour: %s",
			plural(len(groups), "program"), n.MaxPerHour, strings.Join(shownNames(groups), ", "))
	default:
		text = groupSubject(groups[0])
	}
	return clip("["+n.Host+"] "+printable(text), mostOfSubject)
}

func shownNames(groups []*group) []string {
	var names []string
	for _, g := range groups {
		names = append(names, shown(g.Name))
	}
	return names
}

// shown is a name, kept as one word, for people.
func shown(word string) string {
	name, err := line.Decode(word)
	if err != nil {
		name = word
	}
	return printable(name)
}

func groupSubject(g *group) string {
	var troubled, recovered []string
	for _, word := range g.names() {
		switch m := g.Members[word]; {
		case m.Trouble != nil:
			troubled = append(troubled, word)
		case m.recovered():
			recovered = append(recovered, word)
		}
	}
	switch {
	case len(troubled) == 1 && len(recovered) == 0:
		return memberSubject(troubled[0], g.Members[troubled[0]], g.Story)
	case len(troubled) > 0:
		return fmt.Sprintf("%s: %s in trouble%s", shown(g.Name), count(len(troubled), "process", "processes"), tally(g, recovered))
	case len(recovered) == 1:
		return shown(recovered[0]) + " recovered"
	}
	return fmt.Sprintf("%s: %s recovered", shown(g.Name), count(len(recovered), "process", "processes"))
}

// names returns the words of the members in the order of their names, the
// numbers of instances by value.
func (g *group) names() []string {
	var words []string
	for word := range g.Members {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return words
}

// tally says how a group's members fared: " (2 exited, 1 gave up, 1
// recovered)".
func tally(g *group, recovered []string) string {
	counts := map[string]int{}
	for _, m := range g.Members {
		if m.Trouble != nil {
			counts[m.Trouble.Kind]++
		}
	}
	var parts []string
	for _, c := range []struct{ kind, text string }{
		{event.Exited, "exited"}, {event.Fatal, "gave up"}, {event.Unhealthy, "unhealthy"},
	} {
		if counts[c.kind] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[c.kind], c.text))
		}
	}
	if len(recovered) > 0 {
		parts = append(parts, fmt.Sprintf("%d recovered", len(recovered)))
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// memberSubject tells what happened to the only member in trouble, how often,
// and what comes next.
func memberSubject(word string, m *member, s *story) string {
	text := shown(word) + " " + phrase(&m.Trouble.Event)
	if exits := m.Counts[event.Exited]; exits > 1 && m.Trouble.Kind == event.Exited {
		took := m.Now.Time.Sub(s.First[0].Time)
		text = fmt.Sprintf("%s exited %d times in %s, last: %s", shown(word), exits, span(max(took, 0)), phrase(&m.Trouble.Event))
	}
	switch {
	case !isDown(m.Trouble.Kind):
		return text + also(m)
	case m.Now.Kind == event.Fatal && m.Now.Int("try") > 1:
		return text // it says how many tries there were
	}
	var after []string
	if try := m.Now.Int("try"); try > 0 && m.Now.Kind == event.Backoff {
		after = append(after, fmt.Sprintf("restart %d", try))
	} else if m.Restarts > 0 {
		after = append(after, fmt.Sprintf("restart %d", m.Restarts))
	}
	if next := m.next(); next != "" && m.Trouble.Kind != event.Fatal {
		after = append(after, next)
	}
	if after == nil {
		return text
	}
	return text + " (" + strings.Join(after, ", ") + ")"
}

// also names the kinds of event that the subject does not tell, of a name
// that has no life of its own, such as tmd.
func also(m *member) string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(m.Counts)) {
		if kind != m.Trouble.Kind {
			kinds = append(kinds, kind)
		}
	}
	if kinds == nil {
		return ""
	}
	return " (also: " + strings.Join(kinds, ", ") + ")"
}
