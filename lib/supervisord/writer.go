package supervisord

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// A block is a map of the result: its keys and comments in their order.
type block struct {
	name  string
	lines []string
}

// key adds a key; the value is YAML already.
func (b *block) key(name, value string) { b.lines = append(b.lines, name+": "+value) }

// comment adds a comment.
func (b *block) comment(format string, args ...any) {
	b.lines = append(b.lines, "# "+oneLine(fmt.Sprintf(format, args...)))
}

// A writer makes the text of the result.
type writer struct{ out bytes.Buffer }

func (w *writer) bytes() []byte { return w.out.Bytes() }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.out, format+"\n", args...)
}

// block writes a map at the top, if there is anything in it. One of comments
// only is no map, so these then stand without it.
func (w *writer) block(name string, b *block) {
	if len(b.lines) == 0 {
		return
	}
	w.line("")
	indent := ""
	for _, text := range b.lines {
		if !strings.HasPrefix(text, "#") {
			w.line("%s:", name)
			indent = "  "
			break
		}
	}
	for _, text := range b.lines {
		w.line("%s%s", indent, text)
	}
}

func (w *writer) program(b *block) {
	w.line("  %s:", b.name)
	for _, text := range b.lines {
		w.line("    %s", text)
	}
}

// plain is text that YAML takes for a string without quotes. Words that it
// takes for something else are in it, and are sorted out by reserved.
var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*( [A-Za-z0-9_./=-]+)*$`)

var reserved = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null)$`)

// scalar writes text as one YAML scalar on one line.
func scalar(text string) string {
	switch {
	case plain.MatchString(text) && !reserved.MatchString(text):
		return text
	case strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == unicode.ReplacementChar || !unicode.IsPrint(r) && r != ' '
	}):
		return doubleQuoted(text)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// doubleQuoted uses those escapes of Go that YAML 1.2, 5.7 has too.
func doubleQuoted(text string) string {
	return strconv.Quote(strings.ToValidUTF8(text, "\ufffd"))
}

// list writes scalars as a list on one line.
func list(items []string) string {
	shown := make([]string, len(items))
	for i, item := range items {
		shown[i] = scalar(item)
	}
	return "[" + strings.Join(shown, ", ") + "]"
}

// oneLine makes text fit for a comment.
func oneLine(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
}
