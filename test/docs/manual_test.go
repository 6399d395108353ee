// Package docs_test holds the manual to the programs: what it lists is all
// there is, and what it shows runs.
package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }

const manual = "../../man"

// page returns a page of the manual as a reader sees it, spaces and line
// breaks counted as one space.
func page(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command(tmtest.Need(t, "mandoc", "mandoc"), "-T", "utf8", "-O", "width=1000", filepath.Join(manual, name))
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	plain := regexp.MustCompile(".\b").ReplaceAllString(string(text), "")
	return strings.Join(strings.Fields(plain), " ")
}

// source returns a page as it is written.
func source(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manual, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section cuts one section out of a page as a reader sees it.
func section(t *testing.T, text, name, next string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, " "+name+" ")
	if !ok {
		t.Fatalf("no section %s", name)
	}
	inner, _, ok := strings.Cut(after, " "+next+" ")
	if !ok {
		t.Fatalf("no section %s after %s", next, name)
	}
	return inner
}

var programs = map[string]string{
	"tmd": "tmd.8", "tmctl": "tmctl.1", "tmlog": "tmlog.8", "tmmail": "tmmail.8", "tmsupervise": "tmsupervise.8",
}

// TestSynopsis compares the usage line of each program with its SYNOPSIS.
func TestSynopsis(t *testing.T) {
	t.Parallel()
	normal := func(text string) string {
		text = strings.NewReplacer("|", " ", " | ", " ", "“", `"`).Replace(text)
		return strings.Join(strings.Fields(text), " ")
	}
	for program, name := range programs {
		out, err := exec.Command(tmtest.Bin(program), "-\x01").CombinedOutput()
		if err == nil {
			t.Errorf("%s takes a wrong option", program)
		}
		_, usage, ok := strings.Cut(string(out), program+": usage: ")
		if !ok {
			t.Errorf("%s says no usage line: %s", program, out)
			continue
		}
		synopsis := section(t, page(t, name), "SYNOPSIS", "DESCRIPTION")
		if normal(usage) != normal(synopsis) {
			t.Errorf("%s:\nusage    %s\nSYNOPSIS %s", program, normal(usage), normal(synopsis))
		}
	}
}

// TestSections holds that each page has the sections that a reader looks for.
func TestSections(t *testing.T) {
	t.Parallel()
	always := []string{"NAME", "DESCRIPTION", "EXAMPLES", "SEE ALSO"}
	ofPrograms := []string{"SYNOPSIS", "ENVIRONMENT", "FILES", "EXIT STATUS", "DIAGNOSTICS"}
	files, err := filepath.Glob(manual + "/*.[1-8]")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		want := always
		if strings.HasSuffix(name, ".8") || strings.HasSuffix(name, ".1") {
			want = append(want, ofPrograms...)
		}
		text := source(t, name)
		for _, s := range want {
			if !strings.Contains(text, "\n.Sh "+s+"\n") {
				t.Errorf("%s has no section %s", name, s)
			}
		}
	}
}

// TestReferences holds that every page of ours that another names exists.
func TestReferences(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(manual + "/*.[1-8]")
	ours := regexp.MustCompile(`\.Xr ((?:tm|taskmaster)[a-z.-]*) (\d)`)
	for _, file := range files {
		for _, found := range ours.FindAllStringSubmatch(source(t, filepath.Base(file)), -1) {
			if _, err := os.Stat(filepath.Join(manual, found[1]+"."+found[2])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// TestCommands holds that tmctl.1 has every command that tmctl has, and
// tm-supervisor.7 names none that it has not.
func TestCommands(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(tmtest.Bin("tmctl"), "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := page(t, "tmctl.1")
	n := 0
	known := map[string]bool{}
	for _, row := range strings.Split(string(out), "\n") {
		if row == "" || row[0] == ' ' {
			continue
		}
		for _, word := range strings.Split(strings.Fields(row)[0], ",") {
			n++
			known[word] = true
			if !strings.Contains(text, " "+word) {
				t.Errorf("tmctl.1 lacks %s", word)
			}
		}
	}
	if n < 20 {
		t.Errorf("help lists %d commands:\n%s", n, out)
	}
	// The rows of tm-supervisor.7 say what to type instead.
	_, table, ok := strings.Cut(source(t, "tm-supervisor.7"), "Em supervisorctl Ta Em tmctl\n")
	if !ok {
		t.Fatal("tm-supervisor.7 has no table of commands")
	}
	table, _, _ = strings.Cut(table, ".El")
	for _, row := range strings.Split(strings.TrimSpace(table), "\n") {
		_, ours, _ := strings.Cut(row, " Ta ")
		for _, command := range strings.Split(ours, ", ") {
			word := strings.Fields(command)[0]
			if !known[word] && word != "none:" && word[0] != '-' && word != "after" && word != "as" {
				t.Errorf("tm-supervisor.7 names %q, which tmctl has not: %s", word, row)
			}
		}
	}
}
