package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/terminal"
)

func TestShell(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	// On opening, the status table; colours on a terminal.
	term.Expect("NAME", "db:0", "\x1b[31mFATAL\x1b[0m", "web:10", prompt(d))

	term.Press("pid web:0" + terminal.Enter)
	term.Expect("4312", prompt(d))

	term.Press(terminal.Enter + "   " + terminal.Enter) // nothing is nothing
	shown := term.Expect(prompt(d), prompt(d))
	if strings.Contains(shown, "no such") {
		t.Errorf("an empty line did something: %q", shown)
	}

	term.Press("strat web" + terminal.Enter)
	term.Expect("no such command: strat (did you mean start?)", prompt(d))
	term.Press("start 'web" + terminal.Enter)
	term.Expect("EOF found when expecting closing quote", prompt(d))
	term.Press("stop -t x web" + terminal.Enter)
	term.Expect("-t x: not a duration", "usage: stop [-n] [-t SECS] TARGET ...", prompt(d))

	term.Press("nothing of this" + terminal.CtrlC)
	term.Expect(prompt(d))
	term.Press(terminal.CtrlD)
	term.Ends(0)
}

func TestShellEditing(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.Expect(prompt(d))
	for _, keys := range []string{
		"d web:0" + terminal.Home + "pi" + terminal.End,            // begin and end
		"pid wex:0" + terminal.Left + terminal.Left + "\x7f" + "b", // left, backspace
		"stop all" + terminal.CtrlU + "pid web:0",                  // the whole line
		"pid web:10" + terminal.CtrlW + "web:0",                    // a word
		"\"pid\" 'web:0'",                                          // quotes
	} {
		term.Press(keys + terminal.Enter)
		term.Expect("\r\n4312\r\n", prompt(d))
	}
	term.Press("exit" + terminal.Enter)
	term.Ends(0)
}

func TestShellInterrupt(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.Expect(prompt(d))
	for _, streaming := range []string{"tail -f web:0", "log -f"} {
		term.Press(streaming + terminal.Enter)
		term.Expect("first line", "=%= last")
		term.Press(terminal.CtrlC)
		term.Expect("^C\r\n" + prompt(d))
	}
	term.Press("watch" + terminal.Enter)
	term.Expect("web:1: ", "killed by SIGSEGV (core dumped) after 18.375 s, not expected")
	term.Press(terminal.CtrlC)
	term.Expect(prompt(d))
	term.Press("wait none running" + terminal.Enter)
	d.awaitRequest(t, "wait none running")
	term.Press(terminal.CtrlC)
	term.Expect("^C\r\n", "interrupted; what was begun goes on", prompt(d))

	// The connection is as good as before.
	term.Press("pid web:0" + terminal.Enter)
	term.Expect("4312", prompt(d))
	term.Press("quit" + terminal.Enter)
	term.Ends(0)
}

// TestInterrupt presses ^C in a single command, and in a script.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	for _, one := range []struct {
		args    []string
		request string
		shown   string
		code    int
	}{
		{[]string{"tail", "-f", "web:0"}, "tail -f web:0", "=%= last", 0},
		{[]string{"watch", "fatal"}, "watch fatal", "web:1", 0},
		{[]string{"wait", "none", "running"}, "wait none running", "", 1},
		{[]string{"start", "-t", "100", "none"}, "start -t 100 none", "", 1},
	} {
		term := open(t, home(t, d), one.args...)
		d.awaitRequest(t, one.request)
		term.Expect(one.shown)
		term.Press(terminal.CtrlC)
		if one.code != 0 {
			term.Expect("tmctl: fatal: interrupted; what was begun goes on")
		}
		term.Ends(one.code)
	}
}

func TestShellCompletion(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.Expect(prompt(d))
	for _, one := range []struct{ keys, want string }{
		{"hist" + terminal.Tab, "history "},
		{"start no" + terminal.Tab, "start none "},
		{"start web:1" + terminal.Tab, "start web:10 "},
		{"stop web:2" + terminal.Tab, "stop web:2 "},
		{"signal USR1 web:2" + terminal.Tab, "signal USR1 web:2 "},
		{"signal QU" + terminal.Tab, "signal QUIT "},
		{"wait -t 5 web:0 fat" + terminal.Tab, "wait -t 5 web:0 fatal "},
		{"tail -n 5 web:0 stde" + terminal.Tab, "tail -n 5 web:0 stderr "},
		{"tail db" + terminal.Tab, "tail db:0 "},
		{"help relo" + terminal.Tab, "help reload "},
		{"mail t" + terminal.Tab, "mail test "},
		{"restart al" + terminal.Tab, "restart all "},
		{"watch reloadf" + terminal.Tab, "watch reloadfail "},
	} {
		term.Press(one.keys)
		term.Expect(prompt(d) + one.want)
		term.Press(terminal.CtrlU)
	}

	// Several are listed; start offers what is stopped only, a program or all
	// among them.
	term.Press("start " + terminal.Tab + terminal.Tab)
	shown := term.Expect("evil:0", "all")
	for _, running := range []string{"web:0", "web:2"} {
		if strings.Contains(shown, running) {
			t.Errorf("start offers %s, which runs: %q", running, shown)
		}
	}
	term.Press(terminal.CtrlU + "tail -" + terminal.Tab + terminal.Tab)
	term.Expect("-f", "-n")

	// Without a daemon the last names are offered.
	d.server.Close()
	term.Press(terminal.CtrlU + "stop web:2" + terminal.Tab)
	term.Expect(prompt(d) + "stop web:2 ")
	term.Press(terminal.CtrlU + terminal.CtrlD)
	term.Ends(0)
}

func TestShellHistory(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	env := home(t, d)
	one, two := open(t, env), open(t, env)
	one.Expect(prompt(d))
	two.Expect(prompt(d))
	one.Press("pid web:0" + terminal.Enter)
	one.Expect("4312", prompt(d))
	two.Press("wait web:0 running" + terminal.Enter)
	two.Expect("running", prompt(d))
	secret := strings.Repeat("0a", 32)
	one.Press("pid " + secret + terminal.Enter)
	one.Expect("no such instance", prompt(d))
	one.Press("quit" + terminal.Enter)
	one.Ends(0)
	two.Press(terminal.CtrlD)
	two.Ends(0)

	file := filepath.Join(strings.TrimPrefix(env[len(env)-1], "XDG_STATE_HOME="), "taskmaster", "history")
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "pid web:0\nwait web:0 running\nquit\n" {
		t.Fatalf("the history holds %q, %v", text, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the history: %v, %v", info.Mode(), err)
	}

	// In the next run: three lines back, and searched.
	three := open(t, env)
	three.Expect(prompt(d))
	three.Press(terminal.Up + terminal.Up + terminal.Up)
	three.Expect("pid web:0")
	three.Press(terminal.Enter)
	three.Expect("4312", prompt(d))
	three.Press(terminal.CtrlR + "wait")
	three.Expect("wait web:0 running")
	three.Press(terminal.CtrlC + "history" + terminal.Enter)
	three.Expect("    2  wait web:0 running", "    4  pid web:0", prompt(d))
	three.Press(terminal.CtrlD)
	three.Ends(0)
}

// TestShellIsKilled checks that the terminal is restored however the shell
// ends, at the prompt and within top.
func TestShellIsKilled(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		for _, command := range []string{"", "top" + terminal.Enter, "tail -f web:0" + terminal.Enter} {
			d := newDaemon(t)
			term := open(t, home(t, d))
			term.Expect(prompt(d))
			term.Press(command)
			switch command {
			case "top" + terminal.Enter:
				term.Expect(enterTop, "q quit")
			case "tail -f web:0" + terminal.Enter:
				term.Expect("=%= last")
			}
			if err := term.Cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if sig == syscall.SIGQUIT {
				term.Ends(128 + int(sig))
			} else {
				term.Ends(-1) // by the signal
			}
			if command == "top"+terminal.Enter {
				term.Expect(leaveTop)
			}
		}
	}
}

func TestShellDaemonGone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.Expect(prompt(d))
	d.server.Close()
	term.Press(terminal.Enter)
	term.Expect("tmctl (not connected)> ")
	term.Press("status" + terminal.Enter)
	term.Expect("unable to connect to tmd at "+d.address+": connection refused", "tmctl (not connected)> ")
	// The names of the table on opening are offered.
	term.Press("stop web:2" + terminal.Tab)
	term.Expect("stop web:2 ")
	term.Press(terminal.CtrlU)
	again, err := startDaemonAt(d.address, d.secret)
	if err != nil {
		t.Fatal(err)
	}
	defer again.server.Close()
	term.Press("pid web:0" + terminal.Enter)
	term.Expect("4312", prompt(d))
	term.Press("shutdown" + terminal.Enter)
	term.Expect("web:0: stopped", "tmctl (not connected)> ")
	term.Press(terminal.CtrlD)
	term.Ends(0)
}

// TestShellDeafDaemon interrupts a shell that waits to be let in.
func TestShellDeafDaemon(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := newDaemon(t)
	d.address = l.Addr().String()
	term := open(t, home(t, d))
	for range 2 { // the table on opening, and a command
		client, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		term.Press(terminal.CtrlC)
		term.Expect("interrupted", "tmctl (not connected)> ")
		term.Press("status" + terminal.Enter)
	}
}

// TestNoColor checks NO_COLOR and TERM=dumb, and that what a program wrote or
// is named is escaped.
func TestNoColor(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"NO_COLOR=1", "TERM=dumb", "TERM="} {
		d := newDaemon(t)
		for _, args := range [][]string{{"status"}, {"tail", "web:0"}, {"start", "all"}, {"show", "web:0"}, {"status", "-j"}} {
			term := open(t, append(home(t, d), setting), args...)
			term.Cmd.Wait()
			term.Expect("\r\n")
			shown := term.Shown()
			if at := strings.IndexFunc(shown, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\r\n\t", r) }); at >= 0 {
				t.Errorf("%s %v: a control character: %q", setting, args, shown[at:])
			}
		}
	}
}

func TestEscapedOnTerminal(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d), "tail", "web:0")
	// The terminal.Tab stays (the terminal driver may expand it), the escape does not.
	term.Expect("first line\r\n\r\nwith ", `\x1b[31mcolour`, "and tab\r\n=%= last\r\n")
	term.Ends(0)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	for i := range 12 {
		d.instances = append(d.instances, &kept{name: "many:" + string(rune('a'+i)), state: "stopped", stops: true})
	}
	term := open(t, home(t, d), "start", "many")
	term.Expect("0/12 running", "\r\x1b[K", "many:a: ", "running (pid 5000)", "1/12 running", "many:l: ", "12/12 running\r\x1b[K")
	term.Ends(0)

	// Never into a pipe.
	cmd := exec.Command(term.Cmd.Path, "stop", "many")
	cmd.Env = term.Cmd.Env
	output, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(output), "/12") || !strings.HasPrefix(string(output), "many:a: stopped\n") {
		t.Errorf("into a pipe: %q, %v", output, err)
	}
}

func TestTop(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	dumb := open(t, append(home(t, d), "TERM=dumb"), "top")
	dumb.Expect(`top: the terminal cannot move its cursor, TERM is "dumb"`)
	dumb.Ends(100)
	for i := range 40 {
		d.instances = append(d.instances, &kept{name: "many:" + strings.Repeat("9", i/10) + string(rune('0'+i%10)), state: "stopped"})
	}
	term := open(t, home(t, d), "top")
	term.Expect(enterTop, "q quit")
	showsRows(t, term, 80, 24, "db:0", "many:0")

	term.Press("c") // those with CPU first
	screen := settled(t, term, 80, 24, func(screen string) bool {
		return strings.HasPrefix(strings.Split(screen, "\n")[2], "web:") && strings.ContainsAny(screen, "▁▂▃▄▅▆▇█")
	})
	if !strings.Contains(screen, "12.0M") || !strings.Contains(screen, "1h02m") {
		t.Errorf("columns are missing:\n%s", screen)
	}
	term.Press("n\x1b[6~") // a page down
	settled(t, term, 80, 24, func(screen string) bool {
		return !strings.Contains(screen, "db:0") && strings.Contains(screen, "many:99")
	})
	term.Resize(60, 10)
	term.Press("\x1b[5~\x1b[5~\x1b[5~\x1b[5~\x1b[5~\x1b[5~")
	term.Expect("\x1b[10;1H")
	settled(t, term, 60, 10, func(screen string) bool { return strings.Contains(screen, "db:0") })

	d.server.Close()
	term.Expect("(not connected)")
	term.Press("q")
	term.Expect(leaveTop)
	term.Ends(0)
}

// settled waits until the last whole picture of top satisfies ok, and checks
// that no picture is wider than the terminal.
func settled(t *testing.T, term *terminal.Terminal, columns, rows int, ok func(screen string) bool) (screen string) {
	t.Helper()
	term.Await("a screen", func(shown []byte) bool {
		pictures := strings.Split(string(shown[:]), "\x1b[H")
		last := pictures[len(pictures)-1]
		if !strings.Contains(last, "q quit") {
			return false
		}
		g := terminal.NewGrid(columns, rows)
		g.Write("\x1b[H" + last)
		screen = g.String()
		if g.Wrapped {
			t.Errorf("wider than the terminal:\n%s", screen)
		}
		return ok(screen)
	})
	return screen
}

func showsRows(t *testing.T, term *terminal.Terminal, columns, rows int, names ...string) {
	t.Helper()
	settled(t, term, columns, rows, func(screen string) bool {
		for _, name := range names {
			if !strings.Contains(screen, "\n"+name+" ") {
				return false
			}
		}
		return true
	})
}
