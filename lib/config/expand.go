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

// expansion is one use of a variable, as in Python's % operator: a name, a
// flag, a width and a conversion.
var expansion = regexp.MustCompile(`^%\(([^()%]*)\)(0?)([0-9]{0,2})([sd])`)

// expand replaces the %(NAME)s in text, the scalar v or a part of it, as
// Supervisor does; `%%` is a percent sign, and any other is a mistake.
func (s *scope) expand(v value, text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for len(text) > 0 {
		at := strings.IndexByte(text, '%')
		if at < 0 {
			out.WriteString(text)
			break
		}
		out.WriteString(text[:at])
		text = text[at:]
		if strings.HasPrefix(text, "%%") {
			out.WriteByte('%')
			text = text[2:]
			continue
		}
		use := expansion.FindStringSubmatch(text)
		if use == nil {
			s.bad(v, "%s is no expansion like %%(name)s or %%(process_num)02d: write %%%% for a percent sign", quoted(firstWord(text)))
			return out.String()
		}
		one := s.one(v, use)
		if !s.spend(len(one)) {
			return ""
		}
		out.WriteString(one)
		text = text[len(use[0]):]
	}
	return out.String()
}

// expandText reads a scalar and expands it.
func (s *scope) expandText(v value) string { return s.expand(v, s.text(v)) }

// expandWord reads a scalar that must not be empty, and expands it.
func (s *scope) expandWord(v value) string {
	text := s.word(v)
	if text == "" {
		return ""
	}
	before := len(s.mistakes)
	if text = s.expand(v, text); text == "" && len(s.mistakes) == before {
		s.bad(v, "empty when expanded")
	}
	return text
}

// one formats one use of a variable: whole, name, flag, width, conversion.
func (s *scope) one(v value, use []string) string {
	text, ok := s.variable(v, use[1])
	if !ok {
		return ""
	}
	pad := " "
	if use[4] == "d" {
		if use[1] != "process_num" {
			s.bad(v, "%s: only process_num is a number, write %%(%s)s", use[0], use[1])
			return ""
		}
		if use[2] != "" {
			pad = "0"
		}
	}
	width, _ := strconv.Atoi(use[3])
	return strings.Repeat(pad, max(0, width-len(text))) + text
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
