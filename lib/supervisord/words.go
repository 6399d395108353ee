package supervisord

import (
	"errors"
	"slices"
	"strings"
)

// splitWords splits a command as Python's shlex.split does, which Supervisor
// uses; ok is false when a quote is never closed.
func splitWords(text string) (words []string, ok bool) {
	var word strings.Builder
	var quote byte
	in := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			next := text[i+1]
			if quote == '"' && next != '"' && next != '\\' {
				word.WriteByte(c)
			}
			word.WriteByte(next)
			i, in = i+1, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words, quote == 0
}

var errEnvironment = errors.New(`not of the form KEY="value",KEY2="value2"`)

// parseEnvironment reads the value of an environment= key: KEY="value" with
// commas between, over several lines if need be. A backslash is a character like
// any other there, unlike in a command.
func parseEnvironment(text string) (pairs [][2]string, err error) {
	rest := strings.Trim(text, ", \t\n")
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, ", \t\n\"'") {
			return nil, errEnvironment
		}
		end := valueEnd(after)
		value, whole := unquoted(strings.TrimSpace(after[:max(end, 0)]))
		if end < 0 || !whole {
			return nil, errEnvironment
		}
		// Of a name that stands here twice the last value counts.
		pairs = slices.DeleteFunc(pairs, func(pair [2]string) bool { return pair[0] == name })
		pairs = append(pairs, [2]string{name, value})
		rest = strings.TrimLeft(after[end:], ", \t\n")
	}
	return pairs, nil
}

// unquoted takes the quotes off a value, all at its ends and of both kinds as
// Supervisor does; whole is false when there is more than one quoted text.
func unquoted(value string) (text string, whole bool) {
	if value == "" || value[0] != '"' && value[0] != '\'' {
		return value, !strings.ContainsAny(value, `'"`)
	}
	rest := value[1:]
	return strings.Trim(rest, `'"`), strings.IndexByte(rest, value[0]) == len(rest)-1
}

// valueEnd is where a value ends: at a comma or a newline outside quotes; -1
// when a quote is never closed.
func valueEnd(text string) int {
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == ',' || c == '\n':
			return i
		}
	}
	if quote != 0 {
		return -1
	}
	return len(text)
}
