package tmtest

import (
	"regexp"
	"strings"
)

// volatile is what differs from run to run, and what it reads instead.
var volatile = []struct {
	found *regexp.Regexp
	shown string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`), "TIME"},
	{regexp.MustCompile(`\b(pid|wait|uptime)([ =])[0-9][0-9.]*`), "$1${2}N"},
	{regexp.MustCompile(`\b(127\.0\.0\.1|\[::1\]):\d+`), "$1:PORT"},
	{regexp.MustCompile(`\bversion=\S+`), "version=V"},
}

// Normal returns text, such as an event log, without the times, pids and
// ports in it; dir reads $WORK.
func Normal(text, dir string) string {
	for _, v := range volatile {
		text = v.found.ReplaceAllString(text, v.shown)
	}
	return strings.ReplaceAll(text, dir, "$WORK")
}
