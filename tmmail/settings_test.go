package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMailMap(t *testing.T) {
	t.Setenv("WHO", "night")
	t.Setenv("TM_STATE", "")
	password := write(t, "password", "hunter2\n", 0o600)
	file := write(t, "taskmaster.yaml", `
taskmaster:
  listen: 127.0.0.1:0
  mail:
    to: [ops@example.org, "Night <%(ENV_WHO)s@example.org>"]
    from: tm@example.org
    server: smtp.example.org:587
    user: u
    password_file: `+password+`
    spool: "%(here)s/spool"
    events: [fatal, exited]
    group_wait: 1m30s
    group_interval: 90
    max_per_hour: 7
programs: {web: {cmd: "true", whatever: else}}
`, 0o644)
	got, err := parseArgs([]string{"-c", file, "-m", "9", "-m", "8", "-e", "fatal", "-e", "stopped,logfull"})
	if err != nil {
		t.Fatal(err)
	}
	want := &settings{To: []string{"ops@example.org", "night@example.org"}, From: "tm@example.org", Server: "smtp.example.org:587",
		TLS: "starttls", User: "u", PasswordFile: password, Spool: filepath.Join(filepath.Dir(file), "spool"),
		Events: []string{"fatal", "stopped", "logfull"}, GroupWait: 90 * time.Second, GroupInterval: 90 * time.Second,
		MaxPerHour: 8, Host: got.Host}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// All mistakes of a file are told, each with its place.
func TestMailMapMistakes(t *testing.T) {
	file := write(t, "m.yaml", `mail:
  to: [ops@example.org, "a b"]
  tls: maybe
  tsl: none
  server: smtp.example.org
  group_wait: soon
  events: [fatal, mail]
  max_per_hour: {a: 1}
  from: "%(pid)s@x"
  from: a@b
`, 0o644)
	_, err := parseArgs([]string{"-c", file})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{":2:7: to: \"a b\" is no mail address", ":3:8: tls: \"maybe\" is none of", ":4:3: tsl: unknown key",
		":5:11: server: \"smtp.example.org\" is not HOST:PORT", ":6:15: group_wait: \"soon\" is no duration", ":7:11: events: mail about mail",
		":8:17: max_per_hour: must be a value", ":9:9: from: %(pid)s: unknown expansion", ":10:3: from: given twice"} {
		if !strings.Contains(err.Error(), file+want) {
			t.Errorf("missing %q in\n%v", want, err)
		}
	}
	for text, want := range map[string]string{
		"programs: {}\n":                      "has no mail: map",
		"mail: [a]\n":                         ":1:7: mail: must be a map",
		"mail: {to: \n":                       "did not find",
		strings.Repeat("# comment\n", 110000): "larger than 1 MiB",
	} {
		if _, err := parseArgs([]string{"-c", write(t, "m.yaml", text, 0o644)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Setenv("TM_STATE", "/run/some")
	s, err := parseArgs([]string{"-t", "a@b.c", "-s", "[::1]:25"})
	if err != nil {
		t.Fatal(err)
	}
	if s.TLS != "none" || s.State != "/run/some" || !strings.HasSuffix(s.Spool, "/run:some") {
		t.Errorf("%+v", s)
	}
	open := write(t, "password", "x\n", 0o644)
	for _, c := range []struct {
		args  string
		want  string
		usage bool
	}{
		{"-x", "unknown option -x", true},
		{"-t a@b.c more", "unknown argument", true},
		{"-h", "", true},
		{"", "nobody to mail to", false},
		{"-t a@b.c -u u", "go together", false},
		{"-t a@b.c -u u -p " + open, "make it mode 0600", false},
		{"-t a@b.c -u u -p /nonexistent", "no such file", false},
		{"-t a@b.c -u u -p /dev/null", "not a regular file", false},
		{"-t a@b.c -e mail", "loop", false},
		{"-t a@b.c -n [", "syntax error in pattern", false},
		{"-t é@b.c", "only ASCII", false},
		{`-t "a;b"@b.c`, "needs quotes", false},
		{"-t a@b.c -s h:99999", "no port", false},
		{"-t a@b.c -g -1", "no duration", false},
		{"-t a@b.c -g 1e300", "no duration", false},
		{"-t a@b.c -m 0", "1 to 100000", false},
		{"-t a@b.c -sendmail sendmail", "absolute path", false},
		{"-c /nonexistent", "no such file", false},
	} {
		_, err := parseArgs(strings.Fields(c.args))
		var usage usageError
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
}

// The usage line is the SYNOPSIS of the manual.
func TestSynopsis(t *testing.T) {
	page, err := os.ReadFile("../man/tmmail.8")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), ".Sh SYNOPSIS\n.Nm tmmail\n")
	rest, _, _ = strings.Cut(rest, ".Sh ")
	text := "tmmail"
	plain := strings.NewReplacer("Fl ", "-", "Ar ", "", "Cm ", "", " : Ns ", ":", " Ns | Ns ", "|", "Ns | Ns ", "|")
	for _, row := range strings.Split(strings.TrimSpace(rest), "\n") {
		text += " [" + plain.Replace(strings.TrimPrefix(row, ".Op ")) + "]"
	}
	if text != synopsis {
		t.Errorf("the manual has\n%s\nthe program\n%s", text, synopsis)
	}
}
