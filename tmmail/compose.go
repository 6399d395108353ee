package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/statedir"
)

// A page is what a mail says: plain text, printable throughout.
type page struct {
	subject string
	program string // for a header; "" when the mail tells of several
	body    string
}

// How much a mail says when there is much to say.
const (
	mostMembers = 100 // instances told in a line each in one mail and group
	mostGroups  = 50  // groups told in one mail
)

// compose writes the mail of one group, or of all that were held back.
func (n *notifier) compose(now time.Time, groups []*group) page {
	var b strings.Builder
	p := page{subject: n.subject(groups)}
	if len(groups) == 1 {
		p.program = shown(groups[0].Name)
	} else {
		fmt.Fprintf(&b, "%d mails were held back, since no more than %d may be sent in an hour.\n"+
			"This one says what would have been in them.\n\n", len(groups), n.MaxPerHour)
	}
	for i, g := range groups {
		if i == mostGroups {
			fmt.Fprintf(&b, "\nand of %s more: %s\n", plural(len(groups)-i, "program"),
				clip(strings.Join(shownNames(groups[i:]), ", "), 4000))
			break
		}
		if len(groups) > 1 {
			fmt.Fprintf(&b, "%s\n", groupSubject(g))
		} else {
			n.writeMembers(&b, g)
		}
		writeTimeline(&b, g.Story)
	}
	n.writeCommands(&b, groups)
	n.writeFooter(&b, now, groups)
	p.body = b.String()
	return p
}

// writeMembers tells of each member in trouble all that is known, and who
// recovered. Of many it tells the first, and those with output, in full and
// the others in a line each.
func (n *notifier) writeMembers(b *strings.Builder, g *group) {
	told := 0
	var brief []string
	for _, word := range g.names() {
		m := g.Members[word]
		if m.Trouble == nil && !m.recovered() {
			continue
		}
		if told++; told <= mostDetailed || m.Details != nil {
			n.writeMember(b, word, m)
			continue
		}
		brief = append(brief, memberLine(word, m, g.Story))
	}
	if brief == nil {
		return
	}
	b.WriteString("And in short:\n")
	for _, text := range brief[:min(len(brief), mostMembers)] {
		fmt.Fprintf(b, "  %s\n", printable(text))
	}
	if more := len(brief) - mostMembers; more > 0 {
		fmt.Fprintf(b, "  and %s more\n", count(more, "process", "processes"))
	}
	b.WriteByte('\n')
}

func memberLine(word string, m *member, s *story) string {
	if m.Trouble == nil {
		return shown(word) + " recovered"
	}
	return memberSubject(word, m, s)
}

// row writes one "label   text" line of a member's table.
func row(b *strings.Builder, label, text string) {
	if text != "" {
		fmt.Fprintf(b, "  %-10s %s\n", label, printable(text))
	}
}

const clock = "Mon 2006-01-02 15:04:05 -0700"

func (n *notifier) writeMember(b *strings.Builder, word string, m *member) {
	if m.Trouble == nil {
		fmt.Fprintf(b, "%s recovered: it %s since %s.\n\n", shown(word), phrase(&m.Now.Event), m.Now.Time.Local().Format(clock))
		return
	}
	e := &m.Trouble.Event
	fmt.Fprintf(b, "%s %s.\n\n", shown(word), printable(phrase(e)))
	if m.Exit != nil { // it may not be the last of the troubles
		e = &m.Exit.Event
	}
	row(b, "host", n.Host)
	row(b, "cause", cause(e))
	if m.Details != nil {
		row(b, "command", m.Details.Command)
		row(b, "", m.Details.Missing)
	}
	row(b, "pid", e.Get("pid"))
	writeTimes(b, e)
	if exits := m.Counts[event.Exited]; exits > 1 {
		row(b, "how often", fmt.Sprintf("%d times since the last mail", exits))
	}
	if isDown(m.Trouble.Kind) {
		row(b, "restarts", fmt.Sprint(m.Restarts))
	}
	if left := e.Int("left"); left > 0 {
		row(b, "left", count(left, "process that it left behind was", "processes that it left behind were")+" ended")
	}
	row(b, "next", nextInFull(m))
	b.WriteByte('\n')
	if m.Details != nil {
		for i := range m.Details.Outputs {
			writeOutput(b, &m.Details.Outputs[i])
		}
	}
}

// writeTimes tells when the process began and ended. An event with uptime= is
// an end.
func writeTimes(b *strings.Builder, e *event.Event) {
	var d time.Duration
	text := e.Get("uptime")
	if text == "" || setDuration(&d, text) != nil {
		row(b, "time", e.Time.Local().Format(clock))
		return
	}
	row(b, "started", e.Time.Add(-d).Local().Format(clock))
	row(b, "ended", e.Time.Local().Format(clock))
	row(b, "uptime", seconds(text))
}

// nextInFull is next for the body: with the time, and what it means.
func nextInFull(m *member) string {
	switch e := &m.Trouble.Event; {
	case e.Kind == event.ReloadFail:
		return "nothing changed: all runs on by the configuration before"
	case e.Kind == event.LogFull:
		return nextOfLog(e)
	}
	at := m.Now.Time.Local().Format("15:04:05")
	switch m.Now.Kind {
	case event.Running, event.Healthy:
		return "it is running again since " + at
	case event.Starting:
		return fmt.Sprintf("it was started again at %s (pid %s), but is not RUNNING yet", at, m.Now.Get("pid"))
	case event.Backoff:
		return fmt.Sprintf("restart %s, next try in %s from %s", value(&m.Now.Event, "try", "?"), seconds(m.Now.Get("wait")), at)
	case event.Fatal:
		return "taskmaster gave up: it stays down until someone starts it"
	case event.Stopping, event.Stopped, event.Killed:
		return "it was stopped at " + at
	case event.Exited:
		return "nothing: it was not started again so far"
	}
	return ""
}

// nextOfLog says what the policy of a log that cannot be written means.
func nextOfLog(e *event.Event) string {
	if !stopsWriting(e) {
		return ""
	}
	switch e.Get("policy") {
	case "block":
		return "nothing is lost, but programs that write to it may have to wait until it can be written again"
	case "drop":
		return "its lines are dropped and counted until it can be written again"
	case "prune":
		return "its oldest files are deleted to make room"
	}
	return ""
}

// writeOutput shows the end of an output, each line behind a bar, so that
// nothing a program prints looks like a part of the mail.
func writeOutput(b *strings.Builder, o *output) {
	fmt.Fprintf(b, "  %s\n", o.title())
	for _, text := range o.Lines {
		fmt.Fprintf(b, "  | %s\n", text)
	}
	b.WriteByte('\n')
}

// writeTimeline lists the events of the story, of a long one the first and
// the last.
func writeTimeline(b *strings.Builder, s *story) {
	fmt.Fprintf(b, "%s:\n", plural(s.Count, "event"))
	for _, r := range s.First {
		writeEvent(b, &r.Event)
	}
	if s.folded() > 0 {
		fmt.Fprintf(b, "  ... %s more, not listed ...\n", plural(s.folded(), "event"))
	}
	for _, r := range s.Last {
		writeEvent(b, &r.Event)
	}
	b.WriteByte('\n')
}

func writeEvent(b *strings.Builder, e *event.Event) {
	fmt.Fprintf(b, "  %s  %s %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), printable(e.Name), printable(phrase(e)))
}

// writeCommands lists what to type next. Without a state directory there is
// no tmd to talk to.
func (n *notifier) writeCommands(b *strings.Builder, groups []*group) {
	if n.State == "" {
		return
	}
	tmctl := "tmctl"
	if n.State != statedir.Default() {
		tmctl += " -d " + shellWords([]string{n.State})
	}
	b.WriteString("What to type next:\n")
	if len(groups) > 1 {
		fmt.Fprintf(b, "  %s status\n  %s log -n 100\n\n", tmctl, tmctl)
		return
	}
	g := groups[0]
	if g.Name == event.Daemon {
		writeDaemonCommands(b, tmctl, g.Members[event.Daemon])
	} else {
		writeProgramCommands(b, tmctl, g)
	}
	fmt.Fprintf(b, "  %s log -n 100\n\n", tmctl)
}

func writeDaemonCommands(b *strings.Builder, tmctl string, m *member) {
	if m.Counts[event.LogFull] > 0 && m.Trouble.Get("file") != "" {
		fmt.Fprintf(b, "  df -h %s\n", shellWords([]string{filepath.Dir(m.Trouble.Get("file"))}))
	}
	if m.Counts[event.ReloadFail] > 0 {
		fmt.Fprintf(b, "  %s reload -n\n", tmctl)
	}
}

func writeProgramCommands(b *strings.Builder, tmctl string, g *group) {
	fmt.Fprintf(b, "  %s status %s\n", tmctl, shellWords([]string{shown(g.Name)}))
	for i, word := range g.names() {
		if i == 3 {
			break
		}
		name := shellWords([]string{shown(word)})
		m := g.Members[word]
		if m.Now.Kind == event.Fatal {
			fmt.Fprintf(b, "  %s start %s\n", tmctl, name)
		}
		if stream := m.tailed(); stream != "" {
			fmt.Fprintf(b, "  %s tail -n 100 %s %s\n", tmctl, name, stream)
		}
	}
}

// tailed is the stream whose file is worth a look, "" when there is none.
func (m *member) tailed() string {
	if m.Details == nil {
		return "stderr" // not known
	}
	for _, o := range m.Details.Outputs {
		switch {
		case o.File == "":
		case o.Stream == "output":
			return "stdout"
		default:
			return o.Stream
		}
	}
	return ""
}

// writeFooter says by which rules the mail came, and what the reader will not
// hear for a while.
func (n *notifier) writeFooter(b *strings.Builder, now time.Time, groups []*group) {
	fmt.Fprintf(b, "-- \ntmmail on %s: what happens to a program goes into one mail, and the next one\n"+
		"about it comes no sooner than %s later.\n", n.Host, span(n.GroupInterval))
	if n.hour.left(now) == 0 {
		fmt.Fprintf(b, "This is the last of %s that may be sent in an hour: what happens before\n"+
			"%s is told after it.\n", plural(n.MaxPerHour, "mail"), n.hour.opens().Local().Format("15:04:05"))
	}
	if n.lost > 0 {
		fmt.Fprintf(b, "%s did not get here, there were too many at once: the event log has them.\n", plural(n.lost, "event"))
	}
	fmt.Fprintf(b, "Story %s, %s.\n", groups[0].Story.ID, now.Local().Format(clock))
}
