package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"taskmaster/lib/expand"
)

// A scope is what %(NAME)s stands for in one place: in a program's keys all
// of them, elsewhere those without an instance.
type scope struct {
	*loader
	program *Program  // nil outside of programs
	in      *Instance // nil outside of programs
	varies  bool      // an expansion differs between the instances of a program

	// What env says, for the %(ENV_X)s of the other keys; nil while env itself
	// is read.
	env map[string]string
}

// An expansion is one use of a variable, as in Python's % operator.
type expansion struct {
	name   string
	zeros  bool // pad with zeros, not with spaces
	width  int
	number bool // %d, not %s
}

// parseExpansion reads the (NAME), width and conversion after a percent sign
// and returns what follows them.
func parseExpansion(text string) (e expansion, rest string, ok bool) {
	inner, rest, closed := strings.Cut(text, ")")
	name, opened := strings.CutPrefix(inner, "(")
	conversion := strings.TrimLeft(rest, "0123456789")
	digits := rest[:len(rest)-len(conversion)]
	if !opened || !closed || len(digits) > 3 || conversion == "" || conversion[0] != 's' && conversion[0] != 'd' {
		return e, "", false
	}
	e = expansion{name: name, zeros: strings.HasPrefix(digits, "0"), number: conversion[0] == 'd'}
	e.width, _ = strconv.Atoi(digits)
	return e, conversion[1:], true
}

// expand replaces the %(NAME)s in text, the scalar v or a part of it, as
// Supervisor does; `%%` is a percent sign, and any other a mistake, which is
// reported.
func (s *scope) expand(v value, text string) (expanded string, ok bool) {
	return expand.Each(text, func(rest string) (one, after string, ok bool) {
		use, after, valid := parseExpansion(rest)
		if !valid {
			s.bad(v, "%s is no expansion like %%(name)s or %%(process_num)02d: write %%%% for a percent sign", quoted("%"+firstWord(rest)))
			return "", "", false
		}
		one, ok = s.format(v, use)
		return one, after, ok && s.spend(len(one))
	})
}

// expandText reads a scalar and expands it. It is "" after a mistake.
func (s *scope) expandText(v value) string {
	text, _ := s.expand(v, s.text(v))
	return text
}

// expandWord reads a scalar that must not be empty, and expands it. It is ""
// after a mistake only.
func (s *scope) expandWord(v value) string {
	text := s.word(v)
	if text == "" {
		return ""
	}
	text, ok := s.expand(v, text)
	if ok && text == "" {
		s.bad(v, "empty when expanded")
	}
	return text
}

// expandPath is expandWord for a path.
func (s *scope) expandPath(v value) string {
	text := s.expandWord(v)
	s.warnUnexpanded(v, text)
	return text
}

// shellVariable is a variable as a shell replaces it, in a word without
// blanks and with a name as those of the environment have it: $1 is awk's.
var shellVariable = regexp.MustCompile(`^\S*?(\$([A-Z_][A-Z0-9_]*)|\$\{([A-Z_][A-Z0-9_]*)\})\S*$`)

// warnUnexpanded warns of what only a shell replaces in a word, a home or a
// variable, and reports whether there is such.
func (l *loader) warnUnexpanded(v value, word string) bool {
	found := shellVariable.FindStringSubmatch(word)
	switch {
	case strings.HasPrefix(word, "~/"):
		l.warnAt(v, v.node, v.key+": no shell reads this: ~ is a directory of that name; for the home write %(ENV_HOME)s")
		return true
	case found != nil:
		l.warnAt(v, v.node, fmt.Sprintf("%s: no shell reads this: %s is passed on as it is; write %%(ENV_%s)s", v.key, found[1], found[2]+found[3]))
		return true
	}
	return false
}

// format returns what one use of a variable stands for.
func (s *scope) format(v value, e expansion) (text string, ok bool) {
	text, ok = s.variable(v, e.name)
	if ok && e.number && e.name != "process_num" {
		s.bad(v, "%s: only process_num is a number: write %%(NAME)s", quoted("%("+e.name+")d"))
		ok = false
	}
	pad := " "
	if e.zeros && e.number {
		pad = "0"
	}
	return strings.Repeat(pad, max(0, e.width-len(text))) + text, ok
}

// variable returns what a name stands for, or reports that it is unknown.
func (s *scope) variable(v value, name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "ENV_"); ok {
		return s.environment(v, env)
	}
	names := []string{"here", "host_node_name", "ENV_NAME"}
	switch name {
	case "here":
		return v.src.here, true
	case "host_node_name":
		return s.opts.Hostname, true
	}
	if s.in != nil {
		switch name {
		case "program_name":
			return s.program.Name, true
		case "process_num":
			s.varies = true
			return strconv.Itoa(s.in.Num), true
		case "name":
			s.varies = true
			return s.in.Name, true
		}
		names = append(names, "name", "process_num", "program_name")
	}
	slices.Sort(names)
	s.bad(v, "unknown expansion %s%s (there are %s)", quoted("%("+name+")"), s.didYouMean(name, names), strings.Join(names, ", "))
	return "", false
}

// environment returns a variable of the program's env, else of tmd's
// environment, or reports that there is none.
func (s *scope) environment(v value, name string) (string, bool) {
	if text, ok := s.env[name]; ok {
		return text, true
	}
	text, ok := s.opts.Getenv(name)
	switch use := quoted("%(ENV_" + name + ")"); {
	case !ok && s.env != nil:
		s.bad(v, "%s: neither env nor tmd's environment has such a variable", use)
	case !ok:
		s.bad(v, "%s: tmd has no such variable in its environment", use)
	}
	return text, ok
}

// firstWord returns what of text stands before the first space.
func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// namesInstance reports whether text expands differently for each instance.
func namesInstance(text string) bool {
	text = strings.ReplaceAll(text, "%%", "")
	return strings.Contains(text, "%(name)") || strings.Contains(text, "%(process_num)")
}

// instanceName is that of instance num of a program: "web:0".
func instanceName(program string, num int) string {
	return fmt.Sprintf("%s:%d", program, num)
}
