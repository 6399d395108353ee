package config

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

// A value is one YAML value and all that a message about it needs.
type value struct {
	node  *yaml.Node // never an alias
	at    *yaml.Node // its key in a map; nil for the items of a list
	src   *source
	key   string // how messages name it: "ready.timeout"
	below *value // what `defaults:` has for the same key, where the two are merged
}

// A setting is one key of a map, and its value.
type setting struct {
	name string
	value
}

// child returns the value of a node inside v.
func (v value) child(n *yaml.Node, key string) value {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return value{node: n, src: v.src, key: key}
}

func (v value) isNull() bool {
	return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null"
}

// isBuiltin reports whether no file says v.
func (v value) isBuiltin() bool { return v.src == nil || v.src.path == "" }

func (v value) isMap() bool  { return v.node.Kind == yaml.MappingNode }
func (v value) isList() bool { return v.node.Kind == yaml.SequenceNode }

// isQuoted reports whether a scalar is text by its spelling, whatever it
// looks like.
func (v value) isQuoted() bool {
	return v.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

// kind names what v is, for "expected a list, got KIND".
func (v value) kind() string {
	switch {
	case v.isMap():
		return "a map"
	case v.isList():
		return "a list"
	case v.isNull():
		return "nothing"
	}
	return quoted(v.node.Value)
}

// bad reports a mistake in v, after the name of its key.
func (l *loader) bad(v value, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if v.key != "" {
		text = v.key + ": " + text
	}
	l.mistakeAt(v, v.node, text)
}

// mistakeAt reports a mistake at a node of the file that v is in.
func (l *loader) mistakeAt(v value, n *yaml.Node, text string) {
	l.mistake(Mistake{v.src.path, n.Line, n.Column, text})
}

// warnAt reports what is said but not fatal.
func (l *loader) warnAt(v value, n *yaml.Node, text string) {
	l.warn(Mistake{v.src.path, n.Line, n.Column, text})
}

// settings returns the keys of a map in the order of the file, each once,
// those of its merge keys (`<<`) after its own. A key of the map overrides a
// merged one wherever it stands, and of several merged maps the first has
// precedence: https://yaml.org/type/merge.html.
func (l *loader) settings(v value) []setting {
	if !v.isMap() {
		l.bad(v, "expected a map of keys, got %s", v.kind())
		return nil
	}
	var all []setting
	var merged []value
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(v.node.Content) && l.spend(0); i += 2 {
		key := v.child(v.node.Content[i], "").node
		val := v.child(v.node.Content[i+1], "")
		if key.Kind != yaml.ScalarNode {
			l.mistakeAt(v, key, "a key must be a word")
			continue
		}
		if before := first[key.Value]; before != nil {
			l.mistakeAt(v, v.node.Content[i], fmt.Sprintf("duplicate key %s: it is given at line %d already", quoted(key.Value), before.Line))
			continue
		}
		first[key.Value] = v.node.Content[i]
		if key.Tag == "!!merge" {
			merged = append(merged, val)
			continue
		}
		val.key, val.at = printable(key.Value), v.node.Content[i]
		all = append(all, setting{key.Value, val})
	}
	for _, from := range merged {
		all = l.merge(all, from, first)
	}
	return all
}

// merge adds to all the settings of from, a map or a list of maps, which
// have is not true of yet.
func (l *loader) merge(all []setting, from value, have map[string]*yaml.Node) []setting {
	if from.isList() {
		for _, n := range from.node.Content {
			one := from.child(n, "")
			if !one.isMap() {
				l.bad(one, "<<: expected a map, got %s", one.kind())
				continue
			}
			all = l.merge(all, one, have)
		}
		return all
	}
	if !from.isMap() {
		l.bad(from, "<<: expected a map or a list of maps, got %s", from.kind())
		return all
	}
	for _, s := range l.settings(from) {
		if have[s.name] == nil {
			have[s.name] = s.at
			all = append(all, s)
		}
	}
	return all
}

// fields returns the settings of a map whose keys are known beforehand.
// Others are mistakes. Messages name a value by its map's key and its own.
func (l *loader) fields(v value, known ...string) map[string]value {
	fields := map[string]value{}
	for _, s := range l.settings(v) {
		if !slices.Contains(known, s.name) {
			l.mistakeAt(s.value, s.at, fmt.Sprintf("%s: unknown key %s%s", v.key, quoted(s.name), l.didYouMean(s.name, known)))
			continue
		}
		s.key = v.key + "." + s.name
		fields[s.name] = s.value
	}
	return fields
}

// list returns the items of a list; a single value is a list of one.
func (l *loader) list(v value) []value {
	if !v.isList() {
		return []value{v}
	}
	items := make([]value, 0, len(v.node.Content))
	for _, n := range v.node.Content {
		if !l.spend(0) {
			break
		}
		items = append(items, v.child(n, v.key))
	}
	return items
}
