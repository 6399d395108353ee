package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"taskmaster/lib/event"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// state makes a state directory with one instance.
func state(t *testing.T, s *spec.Spec) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if _, err := statedir.Create(dir); err != nil {
		t.Fatal(err)
	}
	run := statedir.Dir(dir).Run(s.Name)
	if err := run.Create(); err != nil {
		t.Fatal(err)
	}
	status := statedir.Status{Event: event.Event{Name: s.Name, Kind: event.Running}, State: "RUNNING", Restarts: 7}
	for path, text := range map[string][]byte{run.Spec(): s.Text(), run.Status(): status.Line()} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDetails(t *testing.T) {
	dir := t.TempDir()
	errors, log := filepath.Join(dir, "err"), filepath.Join(dir, "log")
	var rows strings.Builder
	for i := range 100 {
		fmt.Fprintf(&rows, "line %d\n", i)
	}
	for path, text := range map[string]string{errors: rows.String(), log: "new \x1b[1m\xff\r\nno end", log + ".1": "old\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := spec.Default()
	s.Name, s.Cmd = "web:0", []string{"/bin/web", "--password", "hunter2", "a b", "TOKEN=x", "postgres://u:pw@db/x", "redis://:pw@db/0", ""}
	s.Stderr = spec.Output{Kind: spec.File, Path: errors}
	s.Stdout = spec.Output{Kind: spec.Log, Path: log}
	got := readDetails(state(t, s), "web:0")
	var last []string
	for i := 80; i < 100; i++ {
		last = append(last, fmt.Sprintf("line %d", i))
	}
	want := &details{Command: `/bin/web --password '***' 'a b' 'TOKEN=***' 'postgres://u:***@db/x' 'redis://:***@db/0' ''`, Restarts: 7, Outputs: []output{
		{Stream: "stderr", File: errors, Lines: last, Cut: true},
		{Stream: "stdout", File: log, Lines: []string{"old", `new \x1b[1m\xff`, "no end"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOutputsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    spec.Output
		want string
	}{
		{spec.Output{Kind: spec.Discard}, "discarded, by its configuration"},
		{spec.Output{Kind: spec.InheritFile}, "goes where that of tmd goes"},
		{spec.Output{Kind: spec.File, Path: fifo}, "cannot be read: not a regular file"},
		{spec.Output{Kind: spec.File, Path: "/dev/zero"}, "cannot be read: not a regular file"},
		{spec.Output{Kind: spec.File, Path: link}, "cannot be read: a symbolic link, which is not followed"},
		{spec.Output{Kind: spec.File, Path: dir + "/none"}, "cannot be read: no such file"},
		{spec.Output{Kind: spec.Log, Path: statedir.Dir("/state").Log(dir + "/none")}, "cannot be read: no such file"},
	} {
		got := readOutput("/state", "stdout", c.o)
		if got.Note != c.want || got.Lines != nil {
			t.Errorf("%+v: %+v, want %q", c.o, got, c.want)
		}
	}
}

func TestLoggedFile(t *testing.T) {
	for _, file := range []string{"/var/log/web.log", "/a%2Fb/c d", "/x"} {
		if got := loggedFile("/state", statedir.Dir("/state").Log(file)); got != file {
			t.Errorf("the FIFO of %s was taken for that of %s", file, got)
		}
	}
}

// A torrent without a newline is shown in bounded space, and marked.
func TestLongLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := readOutput("", "stdout", spec.Output{Kind: spec.File, Path: path})
	if len(o.Lines) != 1 || o.Lines[0] != "..."+strings.Repeat("x", tailBytes) || !o.Cut {
		t.Errorf("%d lines, cut %v", len(o.Lines), o.Cut)
	}
}

func TestNoInstance(t *testing.T) {
	s := spec.Default()
	s.Name, s.Cmd = "web:0", []string{"true"}
	dir := state(t, s)
	for _, name := range []string{"", ".", "..", "../run/web:0", "web:1", "tmd", "a\x00b"} {
		if d := readDetails(dir, name); d != nil {
			t.Errorf("%q: %+v", name, d)
		}
	}
	if err := os.WriteFile(statedir.Dir(dir).Run("web:0").Spec(), []byte("version 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := readDetails(dir, "web:0"); d == nil || !strings.Contains(d.Missing, "version 9") {
		t.Errorf("%+v", d)
	}
}
