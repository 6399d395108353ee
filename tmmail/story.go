package main

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"taskmaster/lib/event"
)

// A group is what gets one mail together: a program with all its instances.
// It is also the content of its file in the spool.
type group struct {
	Name    string             // the program, or any name without its ":N", as one word of lib/line
	Mailed  time.Time          // when its last mail was made; zero for never
	Members map[string]*member // by the instance's name as one word of lib/line
	Story   *story             // what the next mail tells; nil when there is nothing
	Taken   string             // the chunk of input last taken in, see intake

	unsaved bool
}

// A story is what has happened to a group since its last mail. It is bounded
// however long it goes on: the middle of a long one is only counted.
type story struct {
	ID     string    // of the mail that will tell it
	Opened time.Time // when its first event came in
	First  []record  // the first events, at most storyFirst
	Last   []record  // the last ones, at most storyLast
	Count  int       // all of them
}

const (
	storyFirst   = 10
	storyLast    = 40
	mostDetailed = 10 // members of a group whose output is kept and shown
)

// A member is one instance as far as it is of interest: it has a part in the
// story, or a mail has said that it is down.
type member struct {
	Reported bool           // a mail said that it is down, none that it is up again
	Trouble  *record        // the last event of the story that qualified for mail
	Exit     *record        // the last exited event of the story
	Now      *record        // the last event of any kind
	Counts   map[string]int // events of the story that qualified, by kind
	Restarts int
	Details  *details
}

// A record is an event in the spool, as its line.
type record struct{ event.Event }

// MarshalText returns the event line, of whatever length.
func (r *record) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads an event line; the error is event.ErrSyntax.
func (r *record) UnmarshalText(text []byte) (err error) {
	r.Event, err = event.Parse(string(text))
	return err
}

// groupName is the name without what follows its last colon: the program of
// an instance.
func groupName(name string) string {
	if at := strings.LastIndexByte(name, ':'); at > 0 {
		return name[:at]
	}
	return name
}

// add makes r a part of the story, opening one if need be.
func (g *group) add(now time.Time, r *record) {
	if g.Story == nil {
		g.Story = &story{ID: newID(now), Opened: now}
	}
	s := g.Story
	s.Count++
	if len(s.First) < storyFirst {
		s.First = append(s.First, *r)
		return
	}
	if len(s.Last) == storyLast {
		s.Last = append(s.Last[:0], s.Last[1:]...)
	}
	s.Last = append(s.Last, *r)
}

// folded is how many events of the story are only counted.
func (s *story) folded() int { return s.Count - len(s.First) - len(s.Last) }

// newID names a story and the mail that tells it: the time, so that names
// sort, and a random part, so that no two are alike.
func newID(now time.Time) string {
	random := make([]byte, 6)
	rand.Read(random) // never fails, crypto/rand says
	return now.UTC().Format("20060102T150405") + "." + hex.EncodeToString(random)
}

// isDown reports whether an event of this kind leaves its program down or
// ailing, so that a later `running` is news.
func isDown(kind string) bool {
	switch kind {
	case event.Exited, event.Fatal, event.Backoff, event.Killed, event.Unhealthy:
		return true
	}
	return false
}

// isUp reports whether an event of this kind says that its program is well.
func isUp(kind string) bool {
	return kind == event.Running || kind == event.Healthy
}

// up reports whether the member's last event says that it is well.
func (m *member) up() bool { return m.Now != nil && isUp(m.Now.Kind) }

// recovered reports whether the member was reported down and is well again.
func (m *member) recovered() bool { return m.Reported && m.up() }

// close ends the story, its mail being made, and keeps of the members only
// those whose recovery will be news.
func (g *group) close(now time.Time) {
	g.Story = nil
	g.Mailed = now
	g.unsaved = true
	for name, m := range g.Members {
		if m.Trouble != nil && isDown(m.Trouble.Kind) {
			m.Reported = true
		}
		if !m.Reported || m.up() {
			delete(g.Members, name)
			continue
		}
		*m = member{Reported: true, Now: m.Now, Restarts: m.Restarts}
	}
}

// resting reports whether the group's last mail is, at that time, too young
// for another one.
func (g *group) resting(at time.Time, interval time.Duration) bool {
	return !g.Mailed.IsZero() && g.Mailed.Add(interval).After(at)
}

// longDown is how long a recovery stays news. What is down longer may well
// have been removed.
const longDown = 30 * 24 * time.Hour

// idle reports whether the group can be forgotten.
func (g *group) idle(now time.Time, interval time.Duration) bool {
	ago := now.Sub(g.Mailed)
	return g.Story == nil && (len(g.Members) == 0 && ago >= interval || ago > max(longDown, interval))
}

// note keeps what r tells of the member's present state.
func (m *member) note(r *record, restarts int) {
	m.Now = r
	switch r.Kind {
	case event.Exited:
		m.Exit = r
	case event.Backoff:
		restarts = max(restarts, r.Int("try"))
	case event.Fatal: // the first try was no restart
		restarts = max(restarts, r.Int("try")-1)
	}
	m.Restarts = max(m.Restarts, restarts)
}
