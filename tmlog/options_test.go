package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The usage line is the SYNOPSIS of the manual.
func TestSynopsis(t *testing.T) {
	page, err := os.ReadFile("../man/tmlog.8")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), ".Sh SYNOPSIS\n")
	section, _, _ = strings.Cut(section, ".Sh ")
	words := []string{}
	for _, text := range strings.Split(strings.TrimSpace(section), "\n") {
		text = regexp.MustCompile(`\bFl (\w)`).ReplaceAllString(text, "-$1")
		text = regexp.MustCompile(`^\.(Nm|Ar|Op) ?|\bAr `).ReplaceAllStringFunc(text, func(macro string) string {
			if macro == ".Op " {
				return "["
			}
			return ""
		})
		if strings.HasPrefix(text, "[") {
			text = strings.ReplaceAll(text, " | ", "|") + "]"
		}
		words = append(words, text)
	}
	if got := strings.Join(words, " "); got != synopsis {
		t.Errorf("the manual says\n%s\nthe program says\n%s", got, synopsis)
	}
}
