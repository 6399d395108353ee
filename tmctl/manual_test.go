package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// manual returns tmctl(1) as a reader sees it, spaces and line breaks counted
// as one space.
func manual(t *testing.T) string {
	t.Helper()
	text, err := exec.Command("mandoc", "-T", "utf8", "../man/tmctl.1").Output()
	if err != nil {
		t.Fatalf("mandoc: %v", err)
	}
	plain := regexp.MustCompile(".\b").ReplaceAllString(string(text), "")
	return strings.Join(strings.Fields(strings.ReplaceAll(plain, " | ", "|")), " ")
}

// TestManual holds that the manual has every command with the usage line of
// help, and that a usage line has every option.
func TestManual(t *testing.T) {
	t.Parallel()
	page := manual(t)
	if !strings.Contains(page, synopsis) {
		t.Errorf("SYNOPSIS is not %s", synopsis)
	}
	for _, c := range commands {
		if c.alias == "" && !strings.Contains(page, c.usage()) {
			t.Errorf("the manual lacks %s", c.usage())
		}
		if !strings.Contains(page, c.alias) {
			t.Errorf("the manual lacks %s", c.alias)
		}
		for _, o := range c.options {
			shown := strings.TrimSpace("-" + string(o.letter) + " " + o.value)
			if !strings.Contains(strings.NewReplacer("[", " ", "]", " ", "|", " ").Replace(c.args)+" ", shown+" ") {
				t.Errorf("usage line %q lacks %s", c.usage(), shown)
			}
		}
		if letters := regexp.MustCompile(`-([a-z])\b`).FindAllStringSubmatch(c.args, -1); len(letters) != len(c.options) {
			t.Errorf("usage line %q has %d options, the table %d", c.usage(), len(letters), len(c.options))
		}
		if (c.max < 0) != strings.Contains(c.args, "...") {
			t.Errorf("usage line %q and the number of operands %d differ", c.usage(), c.max)
		}
	}
	for _, field := range []string{"name", "state", "pid", "uptime", "restarts", "detail", "cpu-seconds", "bytes"} {
		if !strings.Contains(page[strings.Index(page, "Formats for scripts"):], field) {
			t.Errorf("the manual lacks the field %s", field)
		}
	}
}

// TestTable holds what the shell relies on: no name twice, something to say
// on each, and completion for whatever takes operands.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range commands {
		for _, name := range []string{c.name, c.alias} {
			if name != "" && seen[name] {
				t.Errorf("%s is there twice", name)
			}
			seen[name] = true
		}
		if c.about == "" || c.run == nil {
			t.Errorf("%s: no description or nothing to run", c.name)
		}
		if c.max != 0 && len(c.operands) == 0 && !c.verbatim {
			t.Errorf("%s takes operands and completes none", c.name)
		}
	}
}
