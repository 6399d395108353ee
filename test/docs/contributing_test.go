package docs_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// CONTRIBUTING.md names files that are there, and every package of lib. A name
// without a directory is in that of the one before it.
func TestContributing(t *testing.T) {
	content, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	text, dir := string(content), ""
	for _, found := range regexp.MustCompile("`([a-z/]+\\.go|(?:lib|test)/[a-z]+)`").FindAllStringSubmatch(text, -1) {
		name := found[1]
		if strings.Contains(name, "/") {
			dir = path.Dir(name)
		} else {
			name = dir + "/" + name
		}
		if _, err := os.Stat("../../" + name); err != nil {
			t.Errorf("CONTRIBUTING.md names %s: %v", name, err)
		}
	}
	packages, err := os.ReadDir("../../lib")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if !strings.Contains(text, "`"+p.Name()+"`") {
			t.Errorf("CONTRIBUTING.md does not name lib/%s", p.Name())
		}
	}
}
