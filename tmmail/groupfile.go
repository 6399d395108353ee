package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"taskmaster/lib/die"
)

// fileName is the group's file in the spool: its name where that is a plain
// one, else a sum of it, since any producer's names may come in.
func (g *group) fileName() string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if g.Name != "" && len(g.Name) <= 64 && strings.Trim(g.Name, plain+".") == "" && g.Name[0] != '.' {
		return g.Name
	}
	sum := sha256.Sum256([]byte(g.Name))
	return "%" + hex.EncodeToString(sum[:16])
}

// saveGroup writes the group's file; see write for when it is durable.
func (s spool) saveGroup(g *group) error {
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if err := s.write("group", g.fileName(), text); err != nil {
		return err
	}
	g.unsaved = false
	return nil
}

// loadGroups reads the groups of an earlier tmmail. A file that cannot be
// read is set aside in failed/ and said, never dropped.
func (s spool) loadGroups(now time.Time) map[string]*group {
	groups := map[string]*group{}
	for _, name := range s.list("group") {
		g, err := s.loadGroup(name)
		if err != nil {
			die.Warn(fmt.Sprintf("unable to read %s, moved to failed", s.path("group", name)), err)
			s.setAside("group", name)
			continue
		}
		g.Mailed = sinceOf(now, g.Mailed)
		if g.Story != nil {
			g.Story.Opened = sinceOf(now, g.Story.Opened)
		}
		groups[g.Name] = g
	}
	return groups
}

func (s spool) loadGroup(name string) (*group, error) {
	text, err := s.read("group", name)
	if err != nil {
		return nil, err
	}
	g := &group{}
	if err := json.Unmarshal(text, g); err != nil {
		return nil, err
	}
	if g.Members == nil {
		g.Members = map[string]*member{}
	}
	maps.DeleteFunc(g.Members, func(_ string, m *member) bool { return m == nil })
	return g, nil
}

// sinceOf turns a time read from a file into one that the monotonic clock
// carries on from. A time still to come, by a clock set back, counts as now.
func sinceOf(now, saved time.Time) time.Time {
	if saved.IsZero() {
		return saved
	}
	return now.Add(-max(0, now.Round(0).Sub(saved)))
}
