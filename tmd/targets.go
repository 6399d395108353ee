package main

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"taskmaster/lib/glob"
	"taskmaster/lib/natural"
	"taskmaster/lib/nearest"
	"taskmaster/lib/proto"
)

func isGlob(word string) bool { return strings.ContainsAny(word, "*?[") }

func globs(pattern, name string) bool {
	ok, err := path.Match(glob.FromShell(pattern), name)
	return ok && err == nil
}

// maxPatterns and maxPatternBytes, of all patterns together, bound what one
// request costs, since each pattern is held against every instance. A line has
// room for 16,000 times `all`, or for a [...] of 65,000 characters, which would
// hold up the loop for minutes.
const (
	maxPatterns     = 32
	maxPatternBytes = 256
)

// checkPatterns refuses a request that would cost too much.
func checkPatterns(words []string) error {
	patterns, size := 0, 0
	for _, word := range words {
		if word == "all" || isGlob(word) {
			patterns++
			size += len(word)
		}
	}
	switch {
	case patterns > maxPatterns:
		return errors.New("more than " + itoa(maxPatterns) + " patterns in one request")
	case size > maxPatternBytes:
		return errors.New("more than " + itoa(maxPatternBytes) + " bytes of patterns in one request")
	}
	return nil
}

// targets are the instances that words name; all is none at all. Every word
// must name one, or nothing is done.
func (d *daemon) targets(words []string) ([]*instance, error) {
	if len(words) == 0 {
		words = []string{"all"}
	}
	if err := checkPatterns(words); err != nil {
		return nil, err
	}
	var found []*instance
	taken := map[*instance]bool{}
	seen := map[string]bool{} // a program may be named thousands of times as well
	for _, word := range words {
		if seen[word] {
			continue
		}
		seen[word] = true
		list, err := d.target(word)
		if err != nil {
			return nil, err
		}
		for _, in := range list {
			if !taken[in] {
				taken[in] = true
				found = append(found, in)
			}
		}
	}
	return found, nil
}

// target is an instance, a program, a glob over either, or all.
func (d *daemon) target(word string) ([]*instance, error) {
	if word == "all" {
		return d.sorted(func(*instance) bool { return true }), nil
	}
	if in := d.instance(word); in != nil {
		return []*instance{in}, nil
	}
	if p := d.programs[word]; p != nil {
		return p.instances, nil
	}
	if isGlob(word) {
		list := d.sorted(func(in *instance) bool { return globs(word, in.name) || globs(word, in.program) })
		if len(list) > 0 || d.matchesProgram(word) {
			return list, nil
		}
		return nil, errors.New(word + ": matches no instance")
	}
	if strings.Contains(word, ":") {
		return nil, errors.New(word + ": no such instance")
	}
	return nil, errors.New(word + ": no such program" + d.nearestName(word))
}

// sorted returns the instances that pick wants: programs by name, instances
// by number.
func (d *daemon) sorted(pick func(*instance) bool) []*instance {
	if d.inOrder == nil {
		d.inOrder = slices.SortedFunc(maps.Values(d.instances), byName)
	}
	list := make([]*instance, 0, len(d.instances))
	for _, in := range d.inOrder {
		if pick(in) {
			list = append(list, in)
		}
	}
	there := len(list)
	for in := range d.departed {
		if pick(in) {
			list = append(list, in)
		}
	}
	if len(list) > there {
		slices.SortFunc(list, byName)
	}
	return list
}

func byName(a, b *instance) int { return natural.Compare(a.name, b.name) }

// departed yields the instances of the configuration that an orderly end of
// tmd has ended already. Clients may still ask for them.
func (d *daemon) departed(yield func(*instance) bool) {
	if !d.stopping {
		return
	}
	for _, p := range d.listed {
		for _, in := range p.instances {
			if in.gone && !yield(in) {
				return
			}
		}
	}
}

// instance is the one of that name, nil when there is none.
func (d *daemon) instance(name string) *instance {
	if in := d.instances[name]; in != nil {
		return in
	}
	program, number, _ := strings.Cut(name, ":")
	n, err := strconv.Atoi(number)
	if p := d.programs[program]; d.stopping && p != nil && err == nil && 0 <= n && n < len(p.instances) && p.instances[n].name == name {
		return p.instances[n]
	}
	return nil
}

// matchesProgram reports whether a pattern names a program, which may have no
// instances.
func (d *daemon) matchesProgram(pattern string) bool {
	for name := range d.programs {
		if globs(pattern, name) {
			return true
		}
	}
	return false
}

// naming returns which programs targets name; none at all name every one.
func naming(targets []string) func(program string) bool {
	words := map[string]bool{}
	var patterns []string
	for _, word := range targets {
		words[word] = true
		if isGlob(word) {
			patterns = append(patterns, word)
		}
	}
	return func(program string) bool {
		return len(targets) == 0 || words["all"] || words[program] ||
			slices.ContainsFunc(patterns, func(pattern string) bool { return globs(pattern, program) })
	}
}

func (d *daemon) nearestName(word string) string {
	var names []string
	for name := range d.programs {
		names = append(names, name)
	}
	slices.Sort(names)
	if near := nearest.Of(word, names); near != "" {
		return ", did you mean " + near + "?"
	}
	return ""
}

// withTargets parses a request of the form `VERB [options] TARGET ...` and
// runs do in the loop with the instances; atLeast is how many words it needs.
func withTargets(d *daemon, r *proto.Request, spec string, atLeast int, do func(proto.Options, []*instance)) bool {
	o, words, ok := parse(r, spec)
	if !ok {
		return false
	}
	if len(words) < atLeast {
		r.Err(proto.Bad, r.Verb+": name a target: an instance, a program, a glob or all")
		return false
	}
	var err error
	d.ask(func() {
		var list []*instance
		if list, err = d.targets(words); err == nil {
			do(o, list)
		}
	})
	if err != nil {
		r.Err(proto.NoProg, err.Error())
		return false
	}
	return true
}
