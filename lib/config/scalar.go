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

func (l *loader) boolean(v value) bool {
	if on, is := booleanOf(v); is {
		return on
	}
	hint := ""
	if v.isQuoted() {
		hint = " in quotes"
	}
	l.bad(v, "expected true or false, got %s%s", v.kind(), hint)
	return false
}

var decimal = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)

// integer reads a decimal number from lo to hi. In quotes it is text, and
// with a leading zero it would be octal to some readers of YAML and not to
// others: both are mistakes.
func (l *loader) integer(v value, lo, hi int) int {
	if v.isMap() || v.isList() || !decimal.MatchString(v.node.Value) {
		hint := ""
		if trimmed := strings.TrimLeft(v.node.Value, "0"); trimmed != v.node.Value && decimal.MatchString(trimmed) {
			hint = ": write it without the leading zero"
		}
		l.bad(v, "expected a number from %d to %d, got %s%s", lo, hi, v.kind(), hint)
		return lo
	}
	if v.isQuoted() {
		l.bad(v, "expected a number from %d to %d, got text: write %s without quotes", lo, hi, v.node.Value)
		return lo
	}
	n, err := strconv.Atoi(v.node.Value)
	if err != nil || n < lo || n > hi {
		l.bad(v, "%s is not a number from %d to %d", v.node.Value, lo, hi)
		return lo
	}
	return n
}

// choice reads one of some words. It returns the first after a mistake.
func (l *loader) choice(v value, words ...string) string {
	text := l.word(v)
	if slices.Contains(words, text) || text == "" {
		return text
	}
	l.bad(v, "%s is none of %s%s", quoted(text), strings.Join(words, ", "), l.didYouMean(text, words))
	return words[0]
}
