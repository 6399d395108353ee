package security_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"taskmaster/lib/event"
	"taskmaster/test/terminal"
	"taskmaster/test/tmtest"
)

// evil would end a line, begin one of tmd's own, set the title and the colour
// of a terminal, and write from right to left.
const evil = `\n2026-11-22T14:03:07.123Z tmd stopped by=forged\r\x1b]0;owned\x07\x1b[31m\x1b[2J\x9b31m\u202e%%0A%%1B \u0085`

// everywhere has evil in all places that may hold text of somebody's.
const everywhere = `
programs:
  arguments:
    cmd: ["sh", "-c", "exec sleep 1000", "` + evil + `"]
    env: {EVIL: "` + evil + `"}
    description: "text"
    starttime: 0
  output:
    cmd: ["sh", "-c", "printf '%%b' \"$EVIL\"; echo; printf '%%b' \"$EVIL\" >&2; exec sleep 1000"]
    env: {EVIL: '` + evil + `'}
    stdout: {file: "%(here)s/out", timestamp: rfc3339}
    stderr: "%(here)s/err"
    starttime: 0
  missing:
    cmd: ["/nonexistent/` + evil + `"]
    startretries: 0
  directory:
    cmd: sleep 1000
    workingdir: "/nonexistent/` + evil + `"
    startretries: 0
  notify:
    cmd: ["%(here)s/notify"]
    ready: {sd_notify: true}
    starttime: 0
`

// notify says what sd_notify(3) lets a program say in its own words.
const notify = `#!/usr/bin/perl
use Socket;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0);
my $name = $ENV{NOTIFY_SOCKET};
$name =~ s/^@/\0/;
send($s, "STATUS=\x1b]0;owned\x07\x1b[31m %0A\r =\nREADY=1\n", 0, pack_sockaddr_un($name)) or die;
sleep 1000;
`

// Whatever programs are given, are and say, the event log holds events of
// tmd's making only, and what tmctl prints moves no terminal.
func TestNothingForgesText(t *testing.T) {
	t.Parallel()
	tmtest.Need(t, "perl", "perl-base")
	h := tmtest.NewHost(t, everywhere)
	if out, err := exec.Command("chmod", "755", h.File("notify", notify)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d := h.Start()
	h.Await("RUNNING", "arguments:0", "output:0", "notify:0")
	h.Await("FATAL", "missing:0", "directory:0")
	tmtest.Until(t, func() bool {
		return strings.Contains(h.Read("out"), "owned") && strings.Contains(h.Read("err"), "owned")
	},
		"the output is written")
	tmtest.Until(t, func() bool { return strings.Contains(h.Status("notify:0").Detail, "owned") }, "the status text has come")
	h.Ctl("start", "no\x1b[31m\nsuch")
	h.Ctl("signal", "NO\x1b\n", "all")
	h.AwaitLog("signal%20NO%251B|signal%20NO")

	checkEventLog(t, h)
	checkPrinted(t, h)
	checkTerminal(t, h)
	if text := d.Stderr(); hasControls(text) {
		t.Errorf("tmd's standard error: %q", text)
	}
}

// checkEventLog holds that each line is an event, of something that exists.
func checkEventLog(t *testing.T, h *tmtest.Host) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSuffix(h.Log(), "\n"), "\n") {
		e, err := event.Parse(line)
		if err != nil || strings.Contains(line, "by=forged") || hasControls(line) {
			t.Errorf("in the event log: %q, %v", line, err)
		}
		if program, _, _ := strings.Cut(e.Name, ":"); !strings.Contains(everywhere, "\n  "+program+":\n") && e.Name != event.Daemon {
			t.Errorf("an event of %q", e.Name)
		}
	}
}

// checkPrinted looks at what goes into a pipe.
func checkPrinted(t *testing.T, h *tmtest.Host) {
	t.Helper()
	for _, command := range []string{"status", "status -p", "status -j", "show all", "log -n 100", "pid all", "usage", "reload -n", "version", "help"} {
		r := h.Ctl(strings.Fields(command)...)
		if hasControls(r.Stdout) || hasControls(r.Stderr) || r.Stdout == "" && command != "reload -n" {
			t.Errorf("tmctl %s: %q %q", command, r.Stdout, r.Stderr)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(h.Ctl("status", "-p").Stdout), "\n") {
		if strings.Count(line, "\t") != 5 {
			t.Errorf("status -p: %q", line)
		}
	}
}

// checkTerminal looks at what reaches a terminal; what tmctl sends there of its
// own, colours and the cursor, it sends without any program's help.
func checkTerminal(t *testing.T, h *tmtest.Host) {
	t.Helper()
	for _, command := range []string{"status", "show all", "log -n 100", "tail output:0", "tail output:0 stderr", "usage", "start no\x1b]0;owned\x07such"} {
		term := terminal.Open(t, exec.Command(tmtest.Bin("tmctl"), append([]string{"-d", h.State}, words(command)...)...))
		term.Cmd.Wait()
		checkShown(t, command, term.Shown())
	}
	top := terminal.Open(t, exec.Command(tmtest.Bin("tmctl"), "-d", h.State, "top"))
	top.Expect("directory:0")
	top.Press("q")
	top.Cmd.Wait()
	checkShown(t, "top", top.Shown())
}

func words(command string) []string {
	if first, rest, ok := strings.Cut(command, " no\x1b"); ok {
		return []string{first, "no\x1b" + rest}
	}
	return strings.Fields(command)
}

func checkShown(t *testing.T, command, shown string) {
	t.Helper()
	for _, bad := range []string{"\x1b]0;owned", "\x1b[31m\x1b[2J", "\x1b[2J\u009b", "\u009b31m", "\x9b31m", "\u202e", "\x07", "\u0085"} {
		if strings.Contains(shown, bad) {
			t.Errorf("%s sends %q to the terminal:\n%q", command, bad, shown)
		}
	}
	// A program's own output is its own lines, whatever they look like.
	if !strings.HasPrefix(command, "tail") && regexp.MustCompile(`(?m)^2026-11-22T14:03:07\.123Z tmd stopped`).MatchString(shown) {
		t.Errorf("%s shows a line that a program forged:\n%q", command, shown)
	}
}

// hasControls tells bytes that a terminal or a reader of lines would obey.
func hasControls(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\ufffd'
	})
}
