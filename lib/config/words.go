package config

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/shlex"
)

// split cuts a command line into words as sh(1) does, without its
// expansions. What shlex alone would drop or read otherwise than a shell is
// an error that tells how to write it instead.
func split(text string) ([]string, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8: use a list of words")
	}
	text, err := checkQuoting(text)
	if err != nil {
		return nil, err
	}
	return shlex.Split(text)
}

// checkQuoting goes through text as a shell would and returns it without its
// continued lines, which shlex does not know.
func checkQuoting(text string) (string, error) {
	var out strings.Builder
	var quote byte // ', " or 0
	atWord := true // a word may begin here
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && quote != '\'' {
			if i+1 == len(text) {
				return "", errors.New("a backslash at the end: quote it or use a list")
			}
			next := text[i+1]
			i++
			if next == '\n' {
				continue
			}
			if quote == '"' && !strings.ContainsRune("\"\\$`", rune(next)) {
				return "", errors.New(`a backslash in double quotes stands before " \ $ or backquote only: quote it or use a list`)
			}
			out.WriteString(text[i-1 : i+1])
			atWord = false
			continue
		}
		switch {
		case quote == 0 && c == '#' && atWord:
			return "", errors.New("an unquoted # begins a comment: quote it or use a list")
		case quote == 0 && c == '\r':
			return "", errors.New("an unquoted carriage return: quote it or use a list")
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == c:
			quote = 0
		}
		atWord = quote == 0 && (c == ' ' || c == '\t' || c == '\n')
		out.WriteByte(c)
	}
	if quote != 0 {
		return "", errors.New("a " + string(quote) + " is never closed: close it, quote it or use a list")
	}
	return out.String(), nil
}

// quoteWord writes text so that it cannot be taken for anything else in a
// Key: as it is, else in single quotes, else, with a single quote or a
// control character in it, in double quotes with Go's escapes.
func quoteWord(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !isBare(r) }) {
		return text
	}
	for _, r := range text {
		if r == '\'' || r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return strconv.Quote(text)
		}
	}
	return "'" + text + "'"
}

// isBare reports whether a character needs no quotes, in a shell or in YAML.
func isBare(r rune) bool {
	return hostRune(r) || strings.ContainsRune("@%+:/", r)
}

// quoteWords writes words as one command line.
func quoteWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = quoteWord(w)
	}
	return strings.Join(out, " ")
}
