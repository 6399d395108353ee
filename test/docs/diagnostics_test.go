package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// variable is what differs from case to case in a message: what is quoted, a
// word in capitals, a path, a number, or the name of something.
var variable = regexp.MustCompile(`\.\.\.|"[^"]*"|\||\bRLIMIT_NPROC\b|\binstances\b|\bsotp\b|\b[A-Z]+[A-Z:]*\b(/\S+)?|/[\w./-]+|\bweb:0\b|127\.0\.0\.1:\d+|\b\d+\b|%\S+`)

// elsewhere are parts that no source has in one piece: what the system says,
// and a verb that is put in.
var elsewhere = []string{"address already in use", "resource temporarily unavailable", "cannot execute"}

// TestDiagnostics holds that the messages under DIAGNOSTICS are those of the
// programs: what is between their variable parts stands in the sources.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, pattern := range []string{"../../tm*/*.go", "../../lib/*/*.go"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources.WriteString(strings.ReplaceAll(string(text), `\"`, `"`))
		}
	}
	files, _ := filepath.Glob(manual + "/*.[1-8]")
	n := 0
	for _, file := range files {
		_, list, ok := strings.Cut(source(t, filepath.Base(file)), "\n.Bl -diag\n")
		if !ok {
			continue
		}
		list, _, _ = strings.Cut(list, "\n.El\n")
		for _, item := range regexp.MustCompile(`(?m)^\.It "?(.*?)"?$`).FindAllStringSubmatch(list, -1) {
			message := unescape.Replace(item[1])
			message = regexp.MustCompile(`^(tm[a-z]+|FILE)\b.*?: (fatal: |warning: )`).ReplaceAllString(message, "")
			for _, part := range variable.Split(message, -1) {
				for _, part := range regexp.MustCompile(`[:;] `).Split(part, -1) {
					part = strings.Trim(part, `:(),' `)
					if len(part) > 3 && !slices.Contains(elsewhere, part) && !strings.Contains(sources.String(), part) {
						t.Errorf("%s: no program says %q of %q", filepath.Base(file), part, item[1])
					}
					n++
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("the manual has %d parts of messages", n)
	}
}
