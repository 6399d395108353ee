package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A dependency is one item of `after:` where it stands.
type dependency struct {
	at      value
	program string // that waits
	After
}

// readAfter reads a list of programs, or of {name: PROGRAM, until: exited}.
func (b *builder) readAfter(v value) string {
	var shown []string
	if v.isNull() {
		return bracketed()
	}
	until := map[string]string{}
	for _, item := range b.list(v) {
		a := b.afterItem(item)
		if a.Program == "" {
			continue
		}
		if _, twice := until[a.Program]; twice {
			b.bad(item, "%s stands here twice", quoted(a.Program))
		}
		until[a.Program] = a.Until
		b.in.After = append(b.in.After, a)
		if b.in.Num == 0 && !b.trial {
			b.dependencies = append(b.dependencies, dependency{item, b.program.Name, a})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(until)) {
		if until[name] == "running" {
			shown = append(shown, name)
		} else {
			shown = append(shown, braced("name: "+name, "until: "+until[name]))
		}
	}
	return bracketed(shown...)
}

func (b *builder) afterItem(v value) After {
	if !v.isMap() {
		return After{Program: b.word(v), Until: "running"}
	}
	a := After{Until: "running"}
	fields := b.fields(v, "name", "until")
	if name, ok := fields["name"]; ok {
		a.Program = b.word(name)
	} else {
		b.bad(v, "no name: write {name: PROGRAM, until: exited}")
	}
	if until, ok := fields["until"]; ok {
		a.Until = b.choice(until, "running", "exited")
	}
	return a
}

// checkAfter reports programs that nobody describes and cycles among those
// that wait for each other.
func (l *loader) checkAfter(programs []*Program) {
	byName := map[string]*Program{}
	names := make([]string, 0, len(programs))
	for _, p := range programs {
		byName[p.Name] = p
		names = append(names, p.Name)
	}
	g := graph{loader: l, edges: map[string][]dependency{}, state: map[string]progress{}}
	for _, d := range l.dependencies {
		first := byName[d.Program]
		if first == nil {
			if !l.unread {
				l.bad(d.at, "no program %s%s", quoted(d.Program), l.meant(d.Program, names))
			}
			continue
		}
		if len(first.Instances) > 0 && d.Until == "exited" && first.Instances[0].Autorestart == "always" {
			l.warnAt(d.at, d.at.node, fmt.Sprintf("after: %s restarts always, so it never ends and %s never starts", d.Program, d.program))
		}
		g.edges[d.program] = append(g.edges[d.program], d)
	}
	for _, name := range names {
		g.visit(name)
	}
}

// meant is a hint at the program that was probably meant.
func (l *loader) meant(name string, names []string) string {
	if program, _, ok := strings.Cut(name, ":"); ok && slices.Contains(names, program) {
		return ", but " + quoted(program) + ", all instances of which are waited for"
	}
	return l.didYouMean(name, names)
}

// progress is how far the search for cycles is with a program.
type progress int

const (
	unseen progress = iota
	open            // on the way from where the search began
	done
)

// maxNamed bounds the programs that are named in cycles: a long chain may
// have as many cycles as programs, and the last of them is told anyway once
// the others are mended.
const maxNamed = 10_000

// A graph finds cycles by depth-first search.
type graph struct {
	*loader
	edges map[string][]dependency
	state map[string]progress
	way   []string
	named int // in the cycles reported so far
}

func (g *graph) visit(name string) {
	if g.state[name] != unseen {
		return
	}
	g.state[name] = open
	g.way = append(g.way, name)
	for _, d := range g.edges[name] {
		if g.state[d.Program] == open && g.named < maxNamed {
			cycle := g.cycle(d.Program)
			g.named += len(cycle)
			g.bad(d.at, "cycle %s", strings.Join(cycle, " -> "))
		}
		g.visit(d.Program)
	}
	g.way = g.way[:len(g.way)-1]
	g.state[name] = done
}

// cycle names the part of the way that begins and ends at name.
func (g *graph) cycle(name string) []string {
	var names []string
	for _, on := range g.way[slices.Index(g.way, name):] {
		names = append(names, printable(on))
	}
	return append(names, printable(name))
}
