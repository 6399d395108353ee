package glob

import (
	"path"
	"testing"
)

func TestFromShell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"web:[!0]", "web:1", true},
		{"web:[!0]", "web:0", false},
		{"web:[!0-3]", "web:4", true},
		{"web:[!0-3]", "web:2", false},
		{"web:[^0-3]", "web:2", false},
		{"web:[0-3]", "web:2", true},
		{"[!a][!b]", "ab", false},
		{"[!a][!b]", "ba", true},
		{"!w*", "!web", true},
		{"[0!]", "!", true},
		{"[[!]", "!", true},
		{`\[!]`, "[!]", true},
		{`[\]!]`, "!", true},
		{"w?b*", "web:0", true},
	} {
		if got, err := path.Match(FromShell(c.pattern), c.name); got != c.want || err != nil {
			t.Errorf("%s matches %s: %v, error %v", c.pattern, c.name, got, err)
		}
	}
	for _, bad := range []string{"[", "[!", "[!a", `a\`} {
		if _, err := path.Match(FromShell(bad), "a"); err == nil {
			t.Errorf("%s is a pattern", bad)
		}
	}
}
