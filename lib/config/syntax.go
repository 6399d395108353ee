package config

import (
	"bytes"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// maxLocate bounds the text in which an error is searched for by parsing it
// again and again.
const maxLocate = 128 << 10

// locate says where the syntax error is that yaml.v3 found in text. The line
// that yaml.v3 names, if any, is often that of the map which the error is in,
// and it names no column. So the shortest beginning of text with the same
// error is searched: the first in whole lines, then in characters of the last.
func locate(text []byte, err error) (line, col int, problem string) {
	problem = problemOf(err)
	said, _ := strconv.Atoi(yamlError.FindStringSubmatch(err.Error())[1])
	if opener := unclosed(problem); opener != "" && said > 0 {
		line, col = findOpener(text, said, opener)
		return line, col, explain(problem)
	}
	if len(text) > maxLocate {
		return max(said, 1), 1, explain(problem)
	}
	fails := func(end int) bool {
		_, _, err := decode(text[:end])
		return err != nil && problemOf(err) == problem
	}
	ends := lineEnds(text)
	n := min(sort.Search(len(ends), func(i int) bool { return fails(ends[i]) }), len(ends)-1)
	start := 0
	if n > 0 {
		start = ends[n-1]
	}
	width := sort.Search(ends[n]-start, func(i int) bool { return fails(start + i) })
	line, col = position(text, wordStart(text, start, start+width))
	return line, col, explain(problem)
}

// problemOf returns the words of a yaml.v3 error without the line.
func problemOf(err error) string {
	return yamlError.ReplaceAllString(err.Error(), "")
}

// unclosed returns what was opened and never closed, any of some characters,
// when that is the error. A beginning of a correct file may have the same
// one, but for it yaml.v3 names the right line.
func unclosed(problem string) (opener string) {
	switch {
	case strings.Contains(problem, "found unexpected end of stream"):
		return `"'`
	case strings.Contains(problem, "did not find expected ',' or ']'"):
		return "["
	case strings.Contains(problem, "did not find expected ',' or '}'"):
		return "{"
	}
	return ""
}

// findOpener returns the first place of an opener in the line that yaml.v3
// names, which it counts from 0 for brackets.
func findOpener(text []byte, said int, opener string) (line, col int) {
	if opener == "[" || opener == "{" {
		said++
	}
	ends := lineEnds(text)
	line = min(said, len(ends))
	start := 0
	if line > 1 {
		start = ends[line-2]
	}
	at := max(bytes.IndexAny(text[start:ends[line-1]], opener), 0)
	_, col = position(text, start+at)
	return line, col
}

// explain adds the remedy to those errors of yaml.v3 that do not hint at it.
func explain(problem string) string {
	switch {
	case strings.HasPrefix(problem, "did not find expected key"):
		return "expected a key here: look at the indentation, and at quotes inside quotes"
	case strings.HasPrefix(problem, "mapping values are not allowed"):
		return `no ": " may stand here: put the value in quotes`
	case strings.HasPrefix(problem, "found character that cannot start any token"):
		return "no value can begin with this character: put it in quotes; indent with spaces, not tabs"
	case strings.HasPrefix(problem, "did not find expected '-' indicator"):
		return `expected "- " here: a list item, indented like the others`
	case strings.HasPrefix(problem, "could not find expected ':'"):
		return `expected ": " after this key`
	}
	switch unclosed(problem) {
	case `"'`:
		return "a quote is opened here and never closed"
	case "[":
		return `expected "," or "]" in the list that begins here`
	case "{":
		return `expected "," or "}" in the map that begins here`
	}
	return problem
}

// lineEnds returns the offset after each line of text.
func lineEnds(text []byte) []int {
	var ends []int
	for at := 0; at < len(text); {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			next = len(text) - at - 1
		}
		at += next + 1
		ends = append(ends, at)
	}
	return append(ends, len(text))
}

// wordStart returns where the word begins whose end is at end, not before
// start.
func wordStart(text []byte, start, end int) int {
	at := max(end-1, start)
	for at > start && strings.IndexByte(" \t\n,[]{}", text[at-1]) < 0 {
		at--
	}
	return at
}

// position returns the line and column of an offset, from 1.
func position(text []byte, at int) (line, col int) {
	at = min(at, len(text))
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	return bytes.Count(text[:at], []byte("\n")) + 1, utf8.RuneCount(text[start:at]) + 1
}
