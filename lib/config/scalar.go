package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// text returns a scalar as it is written; null is "".
func (l *loader) text(v value) string {
	if v.isMap() || v.isList() {
		l.bad(v, "expected text, got %s", v.kind())
		return ""
	}
	if v.isNull() {
		return ""
	}
	return v.node.Value
}

// word returns a scalar that must not be empty.
func (l *loader) word(v value) string {
	if v.isNull() || v.node.Value == "" && !v.isMap() && !v.isList() {
		l.bad(v, "no value given")
		return ""
	}
	return l.text(v)
}

// booleanOf tells which truth value v is, if it is one: true or false, or as
// YAML 1.1 has it yes, no, on or off, in any case but without quotes.
func booleanOf(v value) (on, is bool) {
	if v.isQuoted() || v.isMap() || v.isList() {
		return false, false
	}
	switch strings.ToLower(v.node.Value) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}

// plain is a value that is not text, such as a number, after its expansions.
// That these have to stand in quotes does not make it text. It is false after a
// mistake.
func (s *scope) plain(v value) (value, bool) {
	if v.isMap() || v.isList() || !strings.Contains(v.node.Value, "%") {
		return v, true
	}
	text, ok := s.expand(v, v.node.Value)
	expanded := *v.node
	expanded.Value, expanded.Style = text, 0
	v.node = &expanded
	return v, ok
}

func (s *scope) boolean(v value) bool {
	v, ok := s.plain(v)
	if !ok {
		return false
	}
	if on, is := booleanOf(v); is {
		return on
	}
	hint := ""
	if v.isQuoted() {
		hint = " in quotes"
	}
	s.bad(v, "expected true or false, got %s%s", v.kind(), hint)
	return false
}

var decimal = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)

// integer reads a decimal number from lo to hi. In quotes it is text, and
// with a leading zero it would be octal to some readers of YAML and not to
// others: both are mistakes.
func (s *scope) integer(v value, lo, hi int) int {
	v, ok := s.plain(v)
	if !ok {
		return lo
	}
	if v.isMap() || v.isList() || !decimal.MatchString(v.node.Value) {
		hint := ""
		if trimmed := strings.TrimLeft(v.node.Value, "0"); trimmed != v.node.Value && decimal.MatchString(trimmed) {
			hint = ": write it without the leading zero"
		}
		s.bad(v, "expected a number from %d to %d, got %s%s", lo, hi, v.kind(), hint)
		return lo
	}
	if v.isQuoted() {
		s.bad(v, "expected a number from %d to %d, got text: write %s without quotes", lo, hi, v.node.Value)
		return lo
	}
	n, err := strconv.Atoi(v.node.Value)
	if err != nil || n < lo || n > hi {
		s.bad(v, "%s is not a number from %d to %d", v.node.Value, lo, hi)
		return lo
	}
	return n
}

// choice reads one of some words. It returns the first after a mistake.
func (s *scope) choice(v value, words ...string) string {
	text := s.expandWord(v)
	if slices.Contains(words, text) || text == "" {
		return text
	}
	s.bad(v, "%s is none of %s%s", quoted(text), strings.Join(words, ", "), s.didYouMean(text, words))
	return words[0]
}
