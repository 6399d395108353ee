package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"taskmaster/lib/backoff"
	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/glob"
	"taskmaster/lib/line"
)

// A notifier turns events into stories, stories into letters, and has the
// letters delivered. It is used by one goroutine, holds no clock, and waits
// for nothing: who drives it gives it the time and asks for the deadline.
type notifier struct {
	*settings
	spool  spool
	groups map[string]*group
	queue  []*letter // oldest first
	hour   hour
	lines  line.Splitter
	starts map[string]int // restarts of each instance, as far as events told

	sending *letter         // the one that is being delivered
	send    func(l *letter) // begins it; settle is called with the result
	closing bool            // no more input: tell all now, try each once

	// The chunk over which an earlier tmmail died, until it is known whether
	// the input still holds it; see markOf.
	unfinished string

	saveAgain time.Time // when to try the spool again; zero: it works
	saveTries int
	notEvents int // lines of the input that were no events
	lost      int // events that tmd had to drop, since the last mail
}

// newNotifier picks up what an earlier tmmail left in the spool. A story
// whose mail was made, but whose file was not brought up to date any more, is
// closed now.
func newNotifier(now time.Time, s *settings, sp spool) *notifier {
	n := &notifier{settings: s, spool: sp, starts: map[string]int{}}
	n.unfinished = sp.taking()
	n.groups = sp.loadGroups(now)
	n.queue = sp.loadQueue(now)
	n.hour = sp.loadHour(now, s.MaxPerHour)
	told := map[string]bool{}
	for _, l := range n.queue {
		for _, id := range l.Tells {
			told[id] = true
		}
	}
	for _, g := range n.groups {
		if g.Story != nil && told[g.Story.ID] {
			g.close(now)
		}
	}
	n.save(now)
	return n
}

// takeIn reads a chunk of input into the stories and saves those that it
// changed. With again, groups that have taken it in already, before a death,
// skip it.
func (n *notifier) takeIn(now time.Time, piece []byte, again bool) {
	mark := markOf(piece)
	done := map[*group]bool{}
	if again {
		for _, g := range n.groups {
			done[g] = g.Taken == mark
		}
	}
	news := map[*member]*event.Event{}
	n.lines.Push(piece, func(text []byte) {
		e, err := event.Parse(string(text))
		if err != nil {
			n.sayNotEvent(text)
			return
		}
		if e.Name == event.Daemon && e.Kind == event.Lost && e.Get("what") == event.Mail {
			n.lost += max(0, e.Int("n"))
		}
		if e.Kind == event.Mail || done[n.groups[groupWord(&e)]] {
			return
		}
		if g, m := n.takeEvent(now, &e); g != nil {
			g.Taken, g.unsaved = mark, true
			if m != nil {
				news[m] = &e
			}
		}
	})
	n.gather(news)
	n.save(now)
}

// takeEvent puts one event where it belongs: into the story of its group when
// it qualifies for mail, when its instance has a part in the story, or when
// it tells a recovery. It returns the group that changed, and the member if
// its output is wanted.
func (n *notifier) takeEvent(now time.Time, e *event.Event) (*group, *member) {
	n.countStart(e)
	g := n.groups[groupWord(e)]
	wanted := n.wants(e)
	if g == nil {
		if !wanted {
			return nil, nil
		}
		g = &group{Name: groupWord(e), Members: map[string]*member{}}
		n.groups[g.Name] = g
	}
	word := line.Encode(e.Name)
	m := g.Members[word]
	if m == nil {
		if !wanted {
			return nil, nil
		}
		m = &member{}
		g.Members[word] = m
	}
	r := &record{*e}
	m.note(r, n.starts[e.Name])
	if !wanted {
		// The retries of a program that is reported already are no news.
		if m.Trouble != nil || m.recovered() {
			g.add(now, r)
		}
		return g, nil
	}
	g.add(now, r)
	m.Trouble = r
	if m.Counts == nil {
		m.Counts = map[string]int{}
	}
	m.Counts[e.Kind]++
	return g, m
}

func groupWord(e *event.Event) string { return line.Encode(groupName(e.Name)) }

// wants reports whether an event qualifies for mail.
func (n *notifier) wants(e *event.Event) bool {
	unexpected := e.Kind == event.Exited && e.Get("expected") == "no" ||
		e.Kind == event.Unhealthy && e.Get("action") == "report"
	if !slices.Contains(n.Events, e.Kind) && !(unexpected && slices.Contains(n.Events, unexpectedExit)) {
		return false
	}
	if len(n.Instances) == 0 {
		return true
	}
	for _, pattern := range n.Instances {
		for _, name := range []string{e.Name, groupName(e.Name)} {
			if ok, _ := path.Match(glob.FromShell(pattern), name); ok {
				return true
			}
		}
	}
	return false
}

// mostNames bounds the names whose starts are counted.
const mostNames = 100000

// countStart keeps count of the starts that nobody asked for.
func (n *notifier) countStart(e *event.Event) {
	if e.Kind != event.Starting {
		return
	}
	switch e.Get("cause") {
	case "auto", "retry", "check":
		if len(n.starts) > mostNames {
			clear(n.starts) // a producer that invents names
		}
		n.starts[e.Name]++
	default:
		delete(n.starts, e.Name)
	}
}

// gather reads the output of the members that have news, as long as the group
// shows that of so many.
func (n *notifier) gather(news map[*member]*event.Event) {
	if n.State == "" {
		return
	}
	for m, e := range news {
		detailed := 0
		for _, other := range n.groups[groupWord(e)].Members {
			if other.Details != nil && other != m {
				detailed++
			}
		}
		if detailed < mostDetailed {
			m.Details = readDetails(n.State, e.Name)
		}
		if m.Details != nil {
			m.Restarts = max(m.Restarts, m.Details.Restarts)
		}
	}
}

// sayNotEvent says the first line that is no event in full, and counts.
func (n *notifier) sayNotEvent(text []byte) {
	if n.notEvents++; n.notEvents == 1 {
		die.Warn(fmt.Sprintf("not an event line, skipped: %s", clip(printable(string(text)), 100)), nil)
	}
}

// save writes what is not in the spool yet. While the spool refuses, all is
// kept in memory, mailed from there, and tried again; groups wait for the
// letters, or a story would be gone from the disk before its letter is on it.
func (n *notifier) save(now time.Time) {
	var err error
	for _, l := range n.queue {
		if !l.saved && err == nil {
			err = n.spool.saveLetter(l)
		}
	}
	wrote := false
	for _, g := range n.groups {
		if g.unsaved && err == nil {
			err = n.spool.saveGroup(g)
			wrote = true
		}
	}
	if wrote && err == nil {
		err = n.spool.sync("group")
	}
	if err == nil {
		if !n.saveAgain.IsZero() {
			die.Warn("the spool "+string(n.spool)+" can be written again", nil)
		}
		n.saveAgain, n.saveTries = time.Time{}, 0
		return
	}
	if n.saveAgain.IsZero() {
		die.Warn("unable to write the spool "+string(n.spool)+", trying again", err)
	}
	n.saveTries++
	n.saveAgain = now.Add(backoff.Delay(time.Second, time.Minute, n.saveTries))
}

// safe reports whether all that was taken in is in the spool, or delivered
// already: a full disk must not hold up what goes out all the same.
func (n *notifier) safe() bool { return n.saveAgain.IsZero() || n.empty() }

// empty reports whether nothing waits to be told or delivered.
func (n *notifier) empty() bool { return len(n.queue) == 0 && len(n.stories()) == 0 }

// stories returns the groups that have something to tell, oldest first.
func (n *notifier) stories() []*group {
	var open []*group
	for _, g := range n.groups {
		if g.Story != nil {
			open = append(open, g)
		}
	}
	slices.SortFunc(open, func(a, b *group) int {
		if c := a.Story.Opened.Compare(b.Story.Opened); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return open
}

// due is when the group's story is to be mailed: group_wait after its first
// event, but no sooner than group_interval after the group's last mail.
func (n *notifier) due(g *group) time.Time {
	at := g.Story.Opened.Add(n.GroupWait)
	if g.resting(at, n.GroupInterval) {
		return g.Mailed.Add(n.GroupInterval)
	}
	return at
}

// deadline is when wake has something to do next; zero for never.
func (n *notifier) deadline(now time.Time) time.Time {
	var first time.Time
	sooner := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	open := n.stories()
	for _, g := range open {
		at := n.due(g)
		if n.hour.left(now) == 0 && n.hour.opens().After(at) {
			at = n.hour.opens()
		}
		sooner(at)
	}
	if n.sending == nil {
		for _, l := range n.queue {
			sooner(l.next)
		}
	}
	if !n.saveAgain.IsZero() {
		sooner(n.saveAgain)
	}
	return first
}

// wake does what is due: saves, makes letters, begins to deliver one.
func (n *notifier) wake(now time.Time) {
	if !n.saveAgain.IsZero() && !now.Before(n.saveAgain) {
		n.save(now)
	}
	n.mailStories(now)
	n.forget(now)
	n.sendNext(now)
}

// mailStories makes letters of the stories that are due, one each. The last
// letter that the hour allows tells all that is left, and how much that is;
// also what only waits for group_wait, which would wait for the hour as well.
func (n *notifier) mailStories(now time.Time) {
	var due, soon []*group
	for _, g := range n.stories() {
		switch {
		case n.closing || !n.due(g).After(now):
			due = append(due, g)
		case !g.resting(now, n.GroupInterval):
			soon = append(soon, g)
		}
	}
	for len(due) > 0 && n.hour.left(now) > 0 {
		tell := due[:1]
		if n.hour.left(now) == 1 {
			tell = append(due, soon...)
		}
		due = due[min(len(tell), len(due)):]
		n.hour.take(now)
		n.mail(now, tell)
	}
}

// mail makes one letter of the groups' stories and closes them.
func (n *notifier) mail(now time.Time, groups []*group) {
	l := &letter{ID: groups[0].Story.ID, From: n.From, To: slices.Clone(n.To), Made: now}
	for _, g := range groups {
		l.Tells = append(l.Tells, g.Story.ID)
	}
	page := n.compose(now, groups)
	n.lost = 0
	l.Subject = page.subject
	l.Text = message(n.settings, l, page)
	n.queue = append(n.queue, l)
	for _, g := range groups {
		g.close(now)
	}
	n.save(now)
	if err := n.spool.saveHour(&n.hour); err != nil && n.safe() {
		die.Warn("unable to save the count of mails in this hour", err)
	}
}

// forget drops the groups of which nothing needs to be remembered. One that
// took in the chunk that may come again is: else it would be told twice.
func (n *notifier) forget(now time.Time) {
	maps.DeleteFunc(n.groups, func(_ string, g *group) bool {
		held := n.unfinished != "" && g.Taken == n.unfinished
		return !g.unsaved && !held && g.idle(now, n.GroupInterval) && n.spool.remove("group", g.fileName()) == nil
	})
}
