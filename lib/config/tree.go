package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// What a file may hold. The limits keep the worst file of the greatest size
// below a second and 100 MB; a thousand real programs stay far below them.
const (
	maxSize    = 1 << 20 // bytes of one file
	maxMarks   = 80_000  // punctuation that can begin a value: yaml.v3 takes 400 bytes for each
	maxValues  = 300_000 // values of all files, aliases counted as often as they stand
	maxNesting = 100
)

// A source is one file of the configuration.
type source struct {
	path string // as it was opened
	here string // its directory, absolute: %(here)s
}

// parse reads text as one YAML document whose aliases are safe to follow. It
// returns nil, and has reported why, when there is no such document; the
// node of an empty one is a null.
func (l *loader) parse(src *source, text []byte) *yaml.Node {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if at, what := unreadable(text); what != "" {
		line, col := position(text, at)
		l.mistake(Mistake{src.path, line, col, what})
		return nil
	}
	if countMarks(text) > maxMarks {
		l.mistake(Mistake{src.path, 1, 1, fmt.Sprintf("more than %d values in one file", maxMarks)})
		return nil
	}
	root, second, err := decode(text)
	if err != nil {
		line, col, problem := locate(text, err)
		l.mistake(Mistake{src.path, line, col, problem})
		return nil
	}
	if second != nil {
		l.mistake(Mistake{src.path, second.Line, second.Column, "a second document begins here: a configuration is one"})
	}
	w := walk{loader: l, src: src, open: map[*yaml.Node]bool{}}
	if !w.visit(root, 0) {
		return nil
	}
	return root
}

// decode returns the first document of text, a null when there is none, and
// the second when there is one.
func decode(text []byte) (first, second *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	var one, two yaml.Node
	switch err := d.Decode(&one); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1, Column: 1}, nil, nil
	case err != nil:
		return nil, nil, err
	}
	first = one.Content[0]
	switch err := d.Decode(&two); {
	case errors.Is(err, io.EOF):
		return first, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return first, &two, nil
}

// unreadable returns where text holds a byte that YAML forbids, and what it
// is; "" when there is none.
func unreadable(text []byte) (at int, what string) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, fmt.Sprintf("byte 0x%02x is not UTF-8", text[i])
		case r < 0x20 && r != '\t' && r != '\n' && r != '\r', 0x7f <= r && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			return i, fmt.Sprintf("control character 0x%02x: write it as \"\\x%02x\" in double quotes", r, r)
		case r == '\ufeff':
			return i, "a byte order mark inside the file"
		}
		i += size
	}
	return 0, ""
}

// countMarks is an upper bound for what yaml.v3 will allocate, found without
// allocating: each value but the first comes after one of these marks.
func countMarks(text []byte) int {
	n := 0
	for i, c := range text {
		switch c {
		case ':', ',', '[', '{', '?':
			n++
		case '-':
			if i+1 == len(text) || text[i+1] <= ' ' || text[i+1] >= utf8.RuneSelf {
				n++
			}
		}
	}
	return n
}

// A walk goes through a document once, following aliases, so that whoever
// reads it afterwards need not fear them.
type walk struct {
	*loader
	src  *source
	open map[*yaml.Node]bool // the nodes above the present one
}

// visit returns false when n cannot be read at all.
func (w *walk) visit(n *yaml.Node, depth int) bool {
	if n.Kind == yaml.AliasNode {
		if w.open[n.Alias] {
			return w.refuse(n, "alias *"+n.Value+" stands inside what it names")
		}
		return w.visit(n.Alias, depth)
	}
	w.values++
	if w.values > maxValues {
		return w.refuse(n, fmt.Sprintf("with its aliases the configuration has more than %d values", maxValues))
	}
	if depth > maxNesting {
		return w.refuse(n, fmt.Sprintf("nested more than %d deep", maxNesting))
	}
	w.check(n)
	w.open[n] = true
	defer delete(w.open, n)
	for _, child := range n.Content {
		if !w.visit(child, depth+1) {
			return false
		}
	}
	return true
}

// check reports what no value may be. A tag other than !!str would change
// what the text means, or drop it.
func (w *walk) check(n *yaml.Node) {
	if strings.ContainsRune(n.Value, 0) {
		w.refuse(n, "a value cannot hold a NUL byte")
	}
	text := n.Kind == yaml.ScalarNode && n.Tag == "!!str"
	if n.Style&yaml.TaggedStyle != 0 && !text {
		w.refuse(n, "the tag "+quoted(n.Tag)+" has no meaning here: leave it out")
	}
}

func (w *walk) refuse(n *yaml.Node, text string) bool {
	w.mistake(Mistake{w.src.path, n.Line, n.Column, text})
	return false
}
