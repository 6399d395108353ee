package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain ü 漢字":          "plain ü 漢字",
		"two\nlines\r\t":      `two\nlines\r\t`,
		"\x1b]0;title\a":      `\x1b]0;title\a`,
		"\x7f":                `\x7f`,
		"\u009b31m":           `\u009b31m`, // CSI as one character
		"\x9b31m":             `\x9b31m`,   // and as one byte
		"\xef":                `\xef`,
		"a\xffb":              `a\xffb`,
		"\u202egnp.exe":       `\u202egnp.exe`,
		"zero\u200bwidth":     `zero\u200bwidth`,
		"\ufffd":              "\ufffd",
		"\U000e0041":          `\U000e0041`,
		"\x00":                `\x00`,
		"end of line\u2028it": `end of line\u2028it`,
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("\x1b[31m\x9b\u202e\xef\xbf")
	f.Fuzz(func(t *testing.T, text string) {
		if out := escape(text); strings.IndexFunc(out, unprintable) >= 0 || escape(out) != out {
			t.Fatalf("%q became %q", text, out)
		}
		if out := string(escapeJSON([]byte(text))); strings.IndexFunc(strings.ReplaceAll(out, "\n", ""), unprintable) >= 0 {
			t.Fatalf("%q became %q", text, out)
		}
	})
}

func TestUptimeWords(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[string]string{
		"0": "0s", "59.9": "59s", "60": "1m00s", "3725.5": "1h02m", "86400": "1d00h", "1e9": "11574d01h",
		"": "-", "x": "-", "-1": "-", "NaN": "-", "Inf": "-",
	} {
		if got := uptimeWords(seconds); got != want {
			t.Errorf("uptimeWords(%q) = %q, want %q", seconds, got, want)
		}
	}
}

// TestJobLines holds what start, stop and restart print of what a daemon
// tells: a line for each arrival and for each failed try, nothing twice.
func TestJobLines(t *testing.T) {
	t.Parallel()
	const stamp = "2026-11-22T14:03:07.123Z "
	tests := map[string]struct{ lines, want []string }{
		"arrives": {
			[]string{"*web:0 starting pid=7 try=1 cause=user", "*web:0 running pid=7", "=web:0 ok"},
			[]string{"web:0: running (pid 7)"},
		},
		"is there": {
			[]string{"=web:0 ok already%20running", "=web:1 ok already running"},
			[]string{"web:0: already running", "web:1: already running"},
		},
		"fails": {
			[]string{
				"*web:0 starting pid=7 try=1 cause=user",
				"*web:0 exited pid=7 code=1 expected=no uptime=0.1 left=0",
				"*web:0 backoff try=1 wait=1",
				"*web:0 starting pid=8 try=2 cause=retry",
				"*web:0 exited pid=8 signal=SEGV core=yes expected=no uptime=0.2 left=3",
				"*web:0 fatal try=2 reason=killed%20by%20SIGSEGV%20(core%20dumped)",
				"=web:0 fail killed%20by%20SIGSEGV",
			},
			[]string{
				"web:0: exited 1 after 0.1 s, not expected, retry 1 in 1 s",
				"web:0: FATAL: killed by SIGSEGV (core dumped)",
			},
		},
		"cannot be executed": {
			[]string{
				"*web:0 backoff try=1 wait=1 reason=cannot%20execute%20/x:%20no%20such%20file",
				"=web:0 fail stopped%20by%20127.0.0.1:5",
			},
			[]string{
				"web:0: failed to start: cannot execute /x: no such file, retry 1 in 1 s",
				"web:0: stopped by 127.0.0.1:5",
			},
		},
		"ends as expected": {
			[]string{"*web:0 exited pid=7 code=0 expected=yes uptime=0.1 left=0", "=web:0 ok"},
			[]string{"web:0: exited 0 after 0.1 s"},
		},
		"ends and is over": {
			[]string{"*web:0 exited pid=7 code=3 expected=no uptime=0.1 left=0", "=web:0 fail"},
			[]string{"web:0: exited 3 after 0.1 s, not expected"},
		},
		"ends and is over, in the words of the daemon": {
			[]string{"*web:0 exited pid=7 code=3 expected=no uptime=0.1 left=0", "=web:0 fail exit%203,%20gave%20up"},
			[]string{"web:0: exit 3, gave up"},
		},
		"does not go": {
			[]string{
				"*web:0 stopping pid=7 signal=TERM", "*web:0 killed pid=7",
				"=web:0 fail still%20not%20gone%20(state%20D):%20pid%207",
			},
			[]string{"web:0: still there, sent SIGKILL", "web:0 still not gone (state D): pid 7"},
		},
		"is stopped as it ends": {
			[]string{"*web:0 exited pid=7 code=0 expected=yes uptime=1.5 left=2", "=web:0 ok stopped"},
			[]string{"web:0: exited 0 after 1.5 s, and left 2 processes", "web:0: stopped"},
		},
		"restarts": {
			[]string{
				"*web:0 stopping pid=7 signal=TERM", "*web:0 killed pid=7", "*web:0 stopped",
				"*web:0 starting pid=8 try=1 cause=user", "*web:0 running pid=8", "=web:0 ok",
			},
			[]string{"web:0: still there, sent SIGKILL", "web:0: stopped", "web:0: running (pid 8)"},
		},
		"restarts, and the daemon knows before it hears of it": {
			[]string{"*web:0 stopped", "=web:0 ok running%20(pid%208)"},
			[]string{"web:0: stopped", "web:0: running (pid 8)"},
		},
		"has an evil name": {
			[]string{"*web%1b[31m:0 running pid=7", "=web%0a:1 ok two%0alines"},
			[]string{`web\x1b[31m:0: running (pid 7)`, `web\n:1: two\nlines`},
		},
		"is newer than we are": {
			[]string{"*web:0 frozen pid=7 why=cold%20outside", "=web:0 ok"},
			[]string{`web:0: frozen pid=7 why="cold outside"`},
		},
	}
	for name, test := range tests {
		file, err := os.Create(filepath.Join(t.TempDir(), "output"))
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(nil, file, file)
		j := newJob(s)
		for _, line := range test.lines {
			if line[0] == '*' {
				line = "*" + stamp + line[1:]
			}
			reply, err := proto.ParseReply(line)
			if err != nil {
				t.Fatal(err)
			}
			j.line(reply)
		}
		s.out.flush()
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(test.want, "\n") + "\n"; string(text) != want {
			t.Errorf("%s: printed\n%swant\n%s", name, text, want)
		}
		file.Close()
	}
}

func TestYAMLValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10s":                          "10s",
		"[0, 2]":                       "[0, 2]",
		"{PORT: \"80\", A: b}":         "{PORT: \"80\", A: b}",
		"./web --port 80":              "./web --port 80",
		"":                             `""`,
		" ":                            `" "`,
		"a: b":                         `"a: b"`,
		"a # b":                        `"a # b"`,
		"# a":                          `"# a"`,
		"[0":                           `"[0"`,
		"*a":                           `"*a"`,
		"&a b":                         `"&a b"`,
		"two\nlines":                   `"two\nlines"`,
		"\x1b[31m":                     `"\x1b[31m"`,
		"- a":                          `"- a"`,
		"%(name)s":                     `"%(name)s"`,
		strings.Repeat("[", 100) + "]": `"` + strings.Repeat("[", 100) + `]"`,
	} {
		if got := yamlValue(text); got != want {
			t.Errorf("yamlValue(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestTopSummary holds that 80 columns have room for what is wrong, whatever
// else there is.
func TestTopSummary(t *testing.T) {
	t.Parallel()
	view := newTopView()
	l := look{at: time.Unix(1e9, 0), server: "[2001:db8:1234:5678::1]:42424"}
	for i := range 350 {
		l.rows = append(l.rows, usageRow{name: fmt.Sprintf("web:%d", i), state: strings.ToUpper(statedir.States[i%len(statedir.States)])})
	}
	view.take(l)
	if got := fit(view.summary(), 80); !strings.HasPrefix(got, "50 fatal, 50 exited, 50 stopping, 50 backoff, 50 running, 50 starting") {
		t.Errorf("got %q", got)
	}
}

// TestTopKeys holds that a key is heeded also when its bytes come in pieces.
func TestTopKeys(t *testing.T) {
	t.Parallel()
	for _, typed := range [][]string{{"\x1b[6~"}, {"\x1b", "[6~"}, {"\x1b[", "6", "~"}, {"\x1b", "\x1b[6~"}, {"x\x1b[6", "~"}} {
		view := newTopView()
		view.page = 10
		for _, piece := range typed {
			if view.key(piece) {
				t.Errorf("%q quits", typed)
			}
		}
		if view.offset != 10 {
			t.Errorf("%q: at %d", typed, view.offset)
		}
		if view.key("\x1b") || !view.key("q") {
			t.Errorf("%q: q after escape does not quit", typed)
		}
	}
}
