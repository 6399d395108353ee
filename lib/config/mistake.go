package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A Mistake is one thing wrong with a configuration file. Lines and columns
// count from 1, columns in characters. Line 0 means that no place in a file
// can be named: the file itself could not be read, and Text says which.
type Mistake struct {
	File string
	Line int
	Col  int
	Text string
}

// Error returns "FILE:LINE:COL: TEXT", or TEXT alone when Line is 0.
func (m Mistake) Error() string {
	if m.Line == 0 {
		return m.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", printable(m.File), m.Line, m.Col, m.Text)
}

// Mistakes are all mistakes of one reading, in the order of files and lines.
type Mistakes []Mistake

// Error returns the mistakes one to a line, without a final newline.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// report collects mistakes and warnings. The same words about the same place
// are kept once, since defaults and anchors are read for every program that
// uses them.
type report struct {
	mistakes Mistakes
	warnings Mistakes
	seen     map[Mistake]bool
	order    map[string]int // of the files, as they were read
}

func newReport() *report {
	return &report{seen: map[Mistake]bool{}, order: map[string]int{}}
}

func (r *report) mistake(m Mistake) {
	if !r.seen[m] {
		r.seen[m] = true
		r.mistakes = append(r.mistakes, m)
	}
}

func (r *report) warn(m Mistake) {
	if !r.seen[m] {
		r.seen[m] = true
		r.warnings = append(r.warnings, m)
	}
}

// sort brings ms into the order of the files as they were read, then of the
// lines.
func (r *report) sort(ms Mistakes) {
	slices.SortFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(r.order[a.File], r.order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Text, b.Text))
	})
}

// quoted gives text from a file as it may stand in a message: in double
// quotes, control characters escaped, the rest of a long one left out.
func quoted(text string) string {
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "..."
	}
	return strconv.Quote(text)
}

// printable gives a path as it is, or quoted when a control character or an
// invalid byte in it could forge or garble the line that it stands in.
func printable(path string) string {
	for _, r := range path {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return strconv.Quote(path)
		}
	}
	return path
}
