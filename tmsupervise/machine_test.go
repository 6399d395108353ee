package main

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/signame"
	"taskmaster/lib/spec"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write what the tests see as what they want")

func TestTableComplete(t *testing.T) {
	for s := range numStates {
		for in := range numInputs {
			if table[s][in] == nil {
				t.Errorf("no action for %s in state %d (%s)", in, s, s)
			}
		}
	}
}

// A theatre is the effects of a machine without a world: time passes when told,
// and what the machine does is written down.
type theatre struct {
	*machine
	clock  time.Duration
	script strings.Builder
	pids   int
	fails  *ending // of the next spawn
	full   error   // of the next record
	slow   bool    // the next spawn goes through a stage
	rest   int     // what is left of the tree
	child  int     // pid of the one child left, to follow
}

func newTheatre() *theatre {
	th := &theatre{machine: &machine{}, clock: 1000 * time.Second}
	th.effects, th.asked, th.cure, th.wish = th, "user", "auto", "none"
	th.spec = spec.Default()
	th.spec.Name, th.spec.Cmd = "web:0", []string{"web"}
	return th
}

func (th *theatre) write(words ...string) {
	th.script.WriteString("\t" + strings.Join(words, " ") + "\n")
}

func (th *theatre) now() time.Duration { return th.clock }

func (th *theatre) record() (err error) {
	err, th.full = th.full, nil
	return err
}

func (th *theatre) spawn() (int, *ending) {
	if fail := th.fails; fail != nil {
		th.fails = nil
		return 0, fail
	}
	th.pids++
	th.staged, th.slow = th.slow, false
	return th.pids, nil
}

func (th *theatre) signalProgram(sig unix.Signal) {
	if th.pid != 0 {
		th.write("-> program", signame.Of(sig))
	}
}
func (th *theatre) signalRest(sig unix.Signal) {
	if th.rest > 0 {
		th.write("-> rest", signame.Of(sig))
	}
}
func (th *theatre) left() int     { return th.rest }
func (th *theatre) heed()         {}
func (th *theatre) owe()          { th.announce() }
func (th *theatre) stuck() string { return "still not gone (state D): pid 7" }

func (th *theatre) follow() bool {
	if th.child == 0 {
		return false
	}
	th.machine.pid, th.child = th.child, 0
	return true
}

func (th *theatre) announce() {
	e, err := event.Parse(string(th.line.Append(nil)))
	if err != nil {
		panic(err)
	}
	words := []string{e.Kind}
	for _, p := range e.Pairs {
		words = append(words, p.Key+"="+p.Value)
	}
	th.write(strings.Join(words, "  "))
}

// show ends each act with the state that it led to.
func (th *theatre) show() {
	text := "= " + th.state.String()
	if th.detail != "" {
		text += ": " + th.detail
	}
	if th.due != 0 {
		text += " [" + seconds(th.due-th.clock) + "]"
	}
	text += " wish=" + th.wish
	if th.done {
		text += " done"
	}
	th.write(text)
}

// pass lets time go by, stopping at each deadline on the way.
func (th *theatre) pass(d time.Duration) {
	for until := th.clock + d; ; {
		if th.due == 0 || th.due > until {
			th.clock = until
			return
		}
		th.clock, th.due = max(th.clock, th.due), 0
		th.step(timer)
	}
}

func (th *theatre) dies(end ending) {
	th.takeEnd(end)
	th.step(died)
}

// act obeys one line of a story.
func (th *theatre) act(t *testing.T, text string) {
	verb, arg, _ := strings.Cut(text, " ")
	number, _ := strconv.Atoi(arg)
	switch verb {
	case "spec":
		fresh, err := spec.Parse([]byte(string(th.spec.Text()) + arg + "\n"))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		th.spec = fresh
		return
	case "left":
		th.rest = number
		return
	case "child":
		th.child = number
		return
	case "staged":
		th.slow = true
		return
	case "cannot":
		th.fails = &ending{reason: "cannot " + arg}
		return
	case "short":
		th.fails = &ending{reason: "cannot " + arg, shortage: true}
		return
	case "diskfull":
		th.full = unix.ENOSPC
		return
	case "pass":
		d, err := time.ParseDuration(arg)
		if err != nil {
			t.Fatal(err)
		}
		th.pass(d)
	case "exits":
		th.dies(ending{known: true, code: number})
	case "killed":
		sig, _ := signame.Parse(arg)
		th.dies(ending{known: true, signal: sig})
	case "vanishes":
		th.dies(ending{})
	case "gone":
		th.rest = 0
		th.step(gone)
	case "fails":
		th.takeEnd(ending{reason: "cannot " + arg})
		th.step(failed)
	case "pending":
		th.detail = arg
	case "execed":
		th.staged = false
		th.step(execed)
	case "sick":
		th.blame, th.cure = arg, "check"
		th.step(sick)
	default:
		th.step(inputNamed(t, verb))
	}
	th.show()
}

func inputNamed(t *testing.T, name string) input {
	for in := range numInputs {
		if in.String() == name {
			return in
		}
	}
	t.Fatalf("no such act: %q", name)
	return 0
}

// TestStories plays testdata/stories: unindented lines are what happens to the
// machine, indented ones what it then does and the state it comes to.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, file, string(want), play(t, string(want)))
		})
	}
}

// play runs a story; a blank line begins a new one with a new machine.
func play(t *testing.T, story string) string {
	th := newTheatre()
	var all strings.Builder
	for line := range strings.Lines(story) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "\t") {
			continue
		}
		all.WriteString(line + "\n")
		switch {
		case line == "":
			th = newTheatre()
		case !strings.HasPrefix(line, "#"):
			th.act(t, line)
			all.WriteString(th.script.String())
			th.script.Reset()
		}
	}
	return all.String()
}

func compare(t *testing.T, file, want, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs; after looking at it, run the test with -update:\n%s", file, diff)
	}
}

// scenes bring a machine into each state, by acts.
var scenes = [numStates]string{
	stopped:  "",
	starting: "start",
	running:  "start\npass 1s",
	waiting:  "start\nexits 1",
	stopping: "start\npass 1s\nstop",
	sweeping: "start\npass 1s\nleft 2\nexits 0",
	exited:   "start\npass 1s\nexits 0",
	fatal:    "spec startretries 0\nstart\nexits 1",
}

// TestTable prints the whole policy: what each input does in each state, under
// the default settings, and the state that follows.
func TestTable(t *testing.T) {
	var all strings.Builder
	for s := range numStates {
		for in := range numInputs {
			th := newTheatre()
			for _, act := range strings.Split(scenes[s], "\n") {
				if act != "" {
					th.act(t, act)
				}
			}
			if th.state != s {
				t.Fatalf("%q leads to %s, not to state %d", scenes[s], th.state, s)
			}
			th.script.Reset()
			th.prepare(in)
			th.step(in)
			th.show()
			title := s.String()
			if s == sweeping {
				title += " (the rest)"
			}
			all.WriteString(title + " " + in.String() + "\n" + th.script.String())
		}
	}
	want, _ := os.ReadFile("testdata/table.txt")
	compare(t, "testdata/table.txt", string(want), all.String())
}

// prepare sets what the helper has found out before it gives the input.
func (th *theatre) prepare(in input) {
	switch in {
	case died, failed:
		th.rest = 0
		if th.pid != 0 {
			th.takeEnd(ending{known: true, code: 1})
		}
	case gone:
		th.rest = 0
	case sick:
		th.blame, th.cure = "unhealthy", "check"
	}
}
