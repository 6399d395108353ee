package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape makes text harmless for a terminal: all that is not printable, also
// broken UTF-8 and what changes the direction of writing, is shown as \n,
// \x1b, \u202e. Nothing that a program said or is named reaches a terminal
// without it.
func escape(text string) string { return escapeBut(text, "") }

// escapeBut leaves the characters of but as they are.
func escapeBut(text, but string) string {
	if strings.IndexFunc(text, unprintable) < 0 && utf8.ValidString(text) {
		return text
	}
	var out strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			out.WriteString(`\x`)
			out.WriteByte("0123456789abcdef"[text[0]>>4])
			out.WriteByte("0123456789abcdef"[text[0]&15])
		case !unprintable(r) || strings.ContainsRune(but, r):
			out.WriteString(text[:size])
		default:
			quoted := strconv.QuoteRune(r)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return out.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
