package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A scope is what %(NAME)s stands for in one place: in a program's keys all
// of them, elsewhere those without an instance.
type scope struct {
	*loader
	program *Program  // nil outside of programs
	in      *Instance // nil outside of programs
	varies  bool      // an expansion differs between the instances of a program
}

// expansion is one use of a variable after its percent sign, as in Python's
// % operator: a name, a flag, a width and a conversion.
var expansion = regexp.MustCompile(`^\(([^()%]*)\)(0?)([0-9]{0,2})([sd])`)

// expand replaces the %(NAME)s in text, the scalar v or a part of it, as
// Supervisor does; `%%` is a percent sign, and any other a mistake, which is
// reported.
func (s *scope) expand(v value, text string) (expanded string, ok bool) {
	var out strings.Builder
	for {
		plain, rest, found := strings.Cut(text, "%")
		out.WriteString(plain)
		if !found {
			return out.String(), true
		}
		if after, escaped := strings.CutPrefix(rest, "%"); escaped {
			out.WriteByte('%')
			text = after
			continue
		}
		use := expansion.FindStringSubmatch(rest)
		if use == nil {
			s.bad(v, "%s is no expansion like %%(name)s or %%(process_num)02d: write %%%% for a percent sign", quoted("%"+firstWord(rest)))
			return "", false
		}
		one, ok := s.one(v, use)
		if !ok || !s.spend(len(one)) {
			return "", false
		}
		out.WriteString(one)
		text = rest[len(use[0]):]
	}
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

// one formats one use of a variable: whole, name, flag, width, conversion.
func (s *scope) one(v value, use []string) (text string, ok bool) {
	text, ok = s.variable(v, use[1])
	if !ok {
		return "", false
	}
	pad := " "
	if use[4] == "d" {
		if use[1] != "process_num" {
			s.bad(v, "%%%s: only process_num is a number, write %%(%s)s", use[0], use[1])
			return "", false
		}
		if use[2] != "" {
			pad = "0"
		}
	}
	width, _ := strconv.Atoi(use[3])
	return strings.Repeat(pad, max(0, width-len(text))) + text, true
}

// variable returns what a name stands for, or reports that it is unknown.
func (s *scope) variable(v value, name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "ENV_"); ok {
		text, ok := s.opts.Getenv(env)
		if !ok {
			s.bad(v, "%%(%s)s: %s is not in the environment of tmd", name, quoted(env))
		}
		return text, ok
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
	s.bad(v, "unknown expansion %s%s (there are %s)", quoted("%("+name+")"), didYouMean(name, names), strings.Join(names, ", "))
	return "", false
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
