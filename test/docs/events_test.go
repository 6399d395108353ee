package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"taskmaster/lib/event"
	"taskmaster/test/tmtest"
)

// eventKinds are the constants of lib/event that name one.
func eventKinds(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../lib/event/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING && ast.IsExported(spec.Names[0].Name) {
				text, _ := strconv.Unquote(lit.Value)
				if regexp.MustCompile(`^[a-z]+$`).MatchString(text) && text != event.Daemon {
					kinds = append(kinds, text)
				}
			}
		}
		return true
	})
	return kinds
}

// eventKeys are the keys that tm-event.5 gives each event, in their order;
// what an event may have in two forms stands there twice.
func eventKeys(t *testing.T) map[string][][]string {
	t.Helper()
	keys := map[string][][]string{}
	end := []string{"code", "signal", "core"}
	for _, row := range regexp.MustCompile(`(?m)^\.It Ic ([a-z]+)(.*)$`).FindAllStringSubmatch(source(t, "tm-event.5"), -1) {
		var list []string
		for _, word := range regexp.MustCompile(`([a-z]+)=|Ar (END)`).FindAllStringSubmatch(row[2], -1) {
			if word[2] != "" {
				list = append(list, end...)
			} else {
				list = append(list, word[1])
			}
		}
		keys[row[1]] = append(keys[row[1]], list)
	}
	return keys
}

func TestEventsListed(t *testing.T) {
	t.Parallel()
	kinds, keys := eventKinds(t), eventKeys(t)
	if len(kinds) < 20 {
		t.Fatalf("lib/event has %v", kinds)
	}
	for _, kind := range kinds {
		if keys[kind] == nil {
			t.Errorf("tm-event.5 lacks %s", kind)
		}
		delete(keys, kind)
	}
	for kind := range keys {
		t.Errorf("tm-event.5 has %s, lib/event has not", kind)
	}
}

// TestEventsOfARun has one tmd live through much of what can happen, and
// compares the keys of every event in its log with the manual.
func TestEventsOfARun(t *testing.T) {
	t.Parallel()
	config := `
programs:
  web: {cmd: sleep 1000, numprocs: 2}
  flaky: {cmd: [sh, -c, "exit 3"], starttime: 0, autorestart: never}
  crash: {cmd: [sh, -c, "kill -SEGV $$"], starttime: 5, startretries: 1, backoff: {first: 10ms}, limits: {core: 0}}
  leaves: {cmd: [sh, -c, "sleep 1000 & exit 0"], starttime: 0, autorestart: never}
  deaf: {cmd: [sh, -c, "trap '' TERM; while :; do sleep 1; done"], starttime: 0, stoptime: 10ms}
  missing: {cmd: /does/not/exist, startretries: 0}
  sick: {cmd: sleep 1000, starttime: 0, check: {cmd: "false", interval: 10ms, failures: 1, action: report}}
`
	h := tmtest.NewHost(t, config)
	d := h.Start()
	h.Await("RUNNING", "web:0", "web:1", "sick:0")
	h.Await("FATAL", "crash:0", "missing:0")
	h.AwaitLog("sick:0 unhealthy")
	h.OK("stop", "deaf")
	h.OK("restart", "web:0")
	h.Write(strings.Replace(config, "numprocs: 2", "numprocs: 1, stoptime: 3", 1))
	h.OK("reload")
	h.Write("programs: 1\n")
	h.Ctl("reload")
	h.Write(config)
	h.OK("shutdown")
	d.Wait()

	keys := eventKeys(t)
	seen := map[string]bool{}
	for _, row := range strings.Split(strings.TrimSpace(h.Log()), "\n") {
		e, err := event.Parse(row)
		if err != nil {
			t.Errorf("%v: %s", err, row)
			continue
		}
		seen[e.Kind] = true
		if !slices.ContainsFunc(keys[e.Kind], func(list []string) bool { return inOrder(e.Pairs, list) }) {
			t.Errorf("tm-event.5 gives %s the keys %v: %s", e.Kind, keys[e.Kind], row)
		}
	}
	for _, kind := range []string{"starting", "running", "exited", "backoff", "fatal", "stopping", "killed", "stopped", "unhealthy",
		"started", "command", "reload", "reloadfail", "removed", "changed"} {
		if !seen[kind] {
			t.Errorf("the run had no %s", kind)
		}
	}
}

// inOrder reports whether the pairs have keys of the list only, in its order.
func inOrder(pairs []event.Pair, list []string) bool {
	at := 0
	for _, p := range pairs {
		n := slices.Index(list[at:], p.Key)
		if n < 0 {
			return false
		}
		at += n + 1
	}
	return true
}
