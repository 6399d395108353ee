package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// CONTRIBUTING.md names files that are there, and every package of lib. A name
// without a directory is in that of the one before it.
func TestContributing(t *testing.T) {
	text, dir := read(t, "../../CONTRIBUTING.md"), ""
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

// The README of test/faults names tests that are there, and every test of that
// directory. In a line of a table the file of a test is the one named before it;
// elsewhere a test is one of a table.
func TestFaults(t *testing.T) {
	const dir = "../faults/"
	name := regexp.MustCompile("`([a-z/_-]+\\.(?:go|txtar))`|`((?:Test|Fuzz)\\w+)`")
	named := map[string]bool{}
	for row := range strings.Lines(read(t, dir+"README.md")) {
		content := ""
		for _, found := range name.FindAllStringSubmatch(row, -1) {
			file, test := found[1], found[2]
			switch {
			case file != "" && strings.Contains(file, "/"):
				content = read(t, "../../"+file)
			case file != "":
				content = read(t, dir+file)
			case strings.HasPrefix(row, "|") && !strings.Contains(content, "\nfunc "+test+"("), !strings.HasPrefix(row, "|") && !named[test]:
				t.Errorf("there is no %s: %s", test, row)
			}
			named[test] = true
		}
	}
	files, err := filepath.Glob(dir + "*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, found := range regexp.MustCompile(`\nfunc (Test\w+)\(t `).FindAllStringSubmatch(read(t, file), -1) {
			if !named[found[1]] {
				t.Errorf("README.md does not name %s of %s", found[1], file)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
