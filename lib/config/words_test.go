package config

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSplit compares split with what sh(1) makes of the same line: the same
// words, or an error.
func TestSplit(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"web -v", "  web\t-v \n", `web 'a b' "c d" e\ f`, `web "" ''`, `web a"b"c'd'e\f`, `"a\"b" "a\\b" "a\$b" "a` + "\\`" + `b"`,
		`'a\b' 'a"b' "a'b"`, `a#b ''# "#" '#' \#`, "a \\\n b", "a\\\nb", "\"a\\\nb\"", "'a\\\nb'", `\a\\b`, "été 'ñ ß' \"日本\"",
		"a\vb\fc", "~x", `a=b c`, "{a,b}", `"a'b'c"d`, `\'a\"`, "''''", `a''b`, "a\tb\n",
	} {
		words, err := split(line)
		if err != nil {
			t.Errorf("split(%q): %v", line, err)
			continue
		}
		out, err := exec.Command("sh", "-c", `printf '%s\0' `+strings.TrimRight(line, " \t\n")).Output()
		if err != nil {
			t.Fatalf("sh on %q: %v", line, err)
		}
		if want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(words, want) {
			t.Errorf("split(%q) = %q, but sh has %q", line, words, want)
		}
	}
	for line, want := range map[string]string{
		`web # comment`: "begins a comment", `#`: "begins a comment", "a\n#b": "begins a comment", "a \\\n#b": "begins a comment",
		`"a\b"`: "before", `"\n"`: "before", `"a`: "never closed", `'a`: "never closed", `a\`: "at the end", "a\rb": "carriage return",
		"a\xffb": "UTF-8",
	} {
		words, err := split(line)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("split(%q) = %q, %v; want an error with %q", line, words, err, want)
		} else if !strings.Contains(err.Error(), "use a list") {
			t.Errorf("split(%q): %v, which tells no remedy", line, err)
		}
	}
}

// TestQuoteWord shows that no two words have one text, and that quoteWords
// is a command line again where no word needs double quotes.
func TestQuoteWord(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, word := range []string{
		"", "a", "a b", "'", `"`, `'a'`, `"a"`, `\`, `a\nb`, "a\nb", "a\x00b", "\xff", "\ufffd", "tmd's", "[a]", "{a}", "a=b", "a, b", "#a", "é", "~",
	} {
		text := quoteWord(word)
		if before, taken := seen[text]; taken {
			t.Errorf("%q and %q are both written %s", before, word, text)
		}
		seen[text] = word
		if text == inherited {
			t.Errorf("%q is written as what is inherited", word)
		}
		if strings.HasPrefix(text, `"`) {
			continue
		}
		if back, err := split(text); err != nil || !slices.Equal(back, []string{word}) {
			t.Errorf("%s, for %q, is split into %q, %v", text, word, back, err)
		}
	}
}
