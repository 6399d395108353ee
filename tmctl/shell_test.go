package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

const (
	ctrlC = "\x03"
	ctrlD = "\x04"
	ctrlR = "\x12"
	ctrlU = "\x15"
	ctrlW = "\x17"
	enter = "\r"
	tab   = "\t"
	up    = "\x1b[A"
	left  = "\x1b[D"
	homeK = "\x1b[H"
	endK  = "\x1b[F"
)

func TestShell(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	// On opening, the status table; colours on a terminal.
	term.expect("NAME", "db:0", "\x1b[31mFATAL\x1b[0m", "web:10", prompt(d))

	term.press("pid web:0" + enter)
	term.expect("4312", prompt(d))

	term.press(enter + "   " + enter) // nothing is nothing
	shown := term.expect(prompt(d), prompt(d))
	if strings.Contains(shown, "no such") {
		t.Errorf("an empty line did something: %q", shown)
	}

	term.press("strat web" + enter)
	term.expect("no such command: strat (did you mean start?)", prompt(d))
	term.press("start 'web" + enter)
	term.expect("EOF found when expecting closing quote", prompt(d))
	term.press("stop -t x web" + enter)
	term.expect("-t x: not a duration", "usage: stop [-n] [-t SECS] TARGET ...", prompt(d))

	term.press("nothing of this" + ctrlC)
	term.expect(prompt(d))
	term.press(ctrlD)
	term.ends(0)
}

func TestShellEditing(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.expect(prompt(d))
	for _, keys := range []string{
		"d web:0" + homeK + "pi" + endK,          // begin and end
		"pid wex:0" + left + left + "\x7f" + "b", // left, backspace
		"stop all" + ctrlU + "pid web:0",         // the whole line
		"pid web:10" + ctrlW + "web:0",           // a word
		"\"pid\" 'web:0'",                        // quotes
	} {
		term.press(keys + enter)
		term.expect("\r\n4312\r\n", prompt(d))
	}
	term.press("exit" + enter)
	term.ends(0)
}

func TestShellInterrupt(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.expect(prompt(d))
	for _, streaming := range []string{"tail -f web:0", "log -f"} {
		term.press(streaming + enter)
		term.expect("first line", "=%= last")
		term.press(ctrlC)
		term.expect(prompt(d))
	}
	term.press("watch" + enter)
	term.expect("web:1: ", "killed by SIGSEGV (core dumped) after 18.375 s, not expected")
	term.press(ctrlC)
	term.expect(prompt(d))
	term.press("wait none running" + enter)
	d.awaitRequest(t, "wait none running")
	term.press(ctrlC)
	term.expect("interrupted; what was begun goes on", prompt(d))

	// The connection is as good as before.
	term.press("pid web:0" + enter)
	term.expect("4312", prompt(d))
	term.press("quit" + enter)
	term.ends(0)
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
		term.expect(one.shown)
		term.press(ctrlC)
		if one.code != 0 {
			term.expect("tmctl: fatal: interrupted; what was begun goes on")
		}
		term.ends(one.code)
	}
}

func TestShellCompletion(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.expect(prompt(d))
	for _, one := range []struct{ keys, want string }{
		{"hist" + tab, "history "},
		{"start no" + tab, "start none "},
		{"start web:1" + tab, "start web:10 "},
		{"stop web:2" + tab, "stop web:2 "},
		{"signal USR1 web:2" + tab, "signal USR1 web:2 "},
		{"signal QU" + tab, "signal QUIT "},
		{"wait -t 5 web:0 fat" + tab, "wait -t 5 web:0 fatal "},
		{"tail -n 5 web:0 stde" + tab, "tail -n 5 web:0 stderr "},
		{"tail db" + tab, "tail db:0 "},
		{"help relo" + tab, "help reload "},
		{"mail t" + tab, "mail test "},
		{"restart al" + tab, "restart all "},
		{"watch reloadf" + tab, "watch reloadfail "},
	} {
		term.press(one.keys)
		term.expect(prompt(d) + one.want)
		term.press(ctrlU)
	}

	// Several are listed; start offers what is stopped only, a program or all
	// among them.
	term.press("start " + tab + tab)
	shown := term.expect("evil:0", "all")
	for _, running := range []string{"web:0", "web:2"} {
		if strings.Contains(shown, running) {
			t.Errorf("start offers %s, which runs: %q", running, shown)
		}
	}
	term.press(ctrlU + "tail -" + tab + tab)
	term.expect("-f", "-n")

	// Without a daemon the last names are offered.
	d.server.Close()
	term.press(ctrlU + "stop web:2" + tab)
	term.expect(prompt(d) + "stop web:2 ")
	term.press(ctrlU + ctrlD)
	term.ends(0)
}

func TestShellHistory(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	env := home(t, d)
	one, two := open(t, env), open(t, env)
	one.expect(prompt(d))
	two.expect(prompt(d))
	one.press("pid web:0" + enter)
	one.expect("4312", prompt(d))
	two.press("wait web:0 running" + enter)
	two.expect("running", prompt(d))
	secret := strings.Repeat("0a", 32)
	one.press("pid " + secret + enter)
	one.expect("no such instance", prompt(d))
	one.press("quit" + enter)
	one.ends(0)
	two.press(ctrlD)
	two.ends(0)

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
	three.expect(prompt(d))
	three.press(up + up + up)
	three.expect("pid web:0")
	three.press(enter)
	three.expect("4312", prompt(d))
	three.press(ctrlR + "wait")
	three.expect("wait web:0 running")
	three.press(ctrlC + "history" + enter)
	three.expect("    2  wait web:0 running", "    4  pid web:0", prompt(d))
	three.press(ctrlD)
	three.ends(0)
}

// TestShellIsKilled checks that the terminal is restored however the shell
// ends, at the prompt and within top.
func TestShellIsKilled(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		for _, command := range []string{"", "top" + enter, "tail -f web:0" + enter} {
			d := newDaemon(t)
			term := open(t, home(t, d))
			term.expect(prompt(d))
			term.press(command)
			switch command {
			case "top" + enter:
				term.expect(enterTop, "q quit")
			case "tail -f web:0" + enter:
				term.expect("=%= last")
			}
			if err := term.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if sig == syscall.SIGQUIT {
				term.ends(128 + int(sig))
			} else {
				term.ends(-1) // by the signal
			}
			if command == "top"+enter {
				term.expect(leaveTop)
			}
		}
	}
}

func TestShellDaemonGone(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	term := open(t, home(t, d))
	term.expect(prompt(d))
	d.server.Close()
	term.press(enter)
	term.expect("tmctl (not connected)> ")
	term.press("status" + enter)
	term.expect("unable to connect to tmd at "+d.address+": connection refused", "tmctl (not connected)> ")
	again, err := startDaemonAt(d.address)
	if err != nil {
		t.Fatal(err)
	}
	again.secret = d.secret
	defer again.server.Close()
	term.press("pid web:0" + enter)
	term.expect("4312", prompt(d))
	term.press("shutdown" + enter)
	term.expect("web:0: stopped", "tmctl (not connected)> ")
	term.press(ctrlD)
	term.ends(0)
}

// TestNoColor checks NO_COLOR and TERM=dumb, and that what a program wrote or
// is named is escaped.
func TestNoColor(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"NO_COLOR=1", "TERM=dumb", "TERM="} {
		d := newDaemon(t)
		for _, args := range [][]string{{"status"}, {"tail", "web:0"}, {"start", "all"}, {"show", "web:0"}, {"status", "-j"}} {
			term := open(t, append(home(t, d), setting), args...)
			term.cmd.Wait()
			term.expect("\r\n")
			term.mu.Lock()
			shown := term.shown.String()
			term.mu.Unlock()
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
	// The tab stays (the terminal driver may expand it), the escape does not.
	term.expect("first line\r\n\r\nwith ", `\x1b[31mcolour`, "and tab\r\n=%= last\r\n")
	term.ends(0)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	for i := range 12 {
		d.instances = append(d.instances, &kept{name: "many:" + string(rune('a'+i)), state: "stopped", stops: true})
	}
	term := open(t, home(t, d), "start", "many")
	term.expect("0/12 running", "\r\x1b[K", "many:a: ", "running (pid 5000)", "1/12 running", "many:l: ", "12/12 running\r\x1b[K")
	term.ends(0)

	// Never into a pipe.
	cmd := exec.Command(term.cmd.Path, "stop", "many")
	cmd.Env = term.cmd.Env
	output, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(output), "/12") || !strings.HasPrefix(string(output), "many:a: stopped\n") {
		t.Errorf("into a pipe: %q, %v", output, err)
	}
}

func TestTop(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	for i := range 40 {
		d.instances = append(d.instances, &kept{name: "many:" + strings.Repeat("9", i/10) + string(rune('0'+i%10)), state: "stopped"})
	}
	term := open(t, home(t, d), "top")
	term.expect(enterTop, "q quit")
	showsRows(t, term, 80, 24, "db:0", "many:0")

	term.press("c") // those with CPU first
	screen := settled(t, term, 80, 24, func(screen string) bool {
		return strings.HasPrefix(strings.Split(screen, "\n")[2], "web:") && strings.ContainsAny(screen, "▁▂▃▄▅▆▇█")
	})
	if !strings.Contains(screen, "12.0M") || !strings.Contains(screen, "1h02m") {
		t.Errorf("columns are missing:\n%s", screen)
	}
	term.press("n\x1b[6~") // a page down
	settled(t, term, 80, 24, func(screen string) bool {
		return !strings.Contains(screen, "db:0") && strings.Contains(screen, "many:99")
	})
	if err := pty.Setsize(term.keys, &pty.Winsize{Cols: 60, Rows: 10}); err != nil {
		t.Fatal(err)
	}
	term.press("\x1b[5~\x1b[5~\x1b[5~\x1b[5~\x1b[5~\x1b[5~")
	term.expect("\x1b[10;1H")
	settled(t, term, 60, 10, func(screen string) bool { return strings.Contains(screen, "db:0") })

	d.server.Close()
	term.expect("(not connected)")
	term.press("q")
	term.expect(leaveTop)
	term.ends(0)
}

// settled waits until the last whole picture of top satisfies ok, and checks
// that no picture is wider than the terminal.
func settled(t *testing.T, term *terminal, columns, rows int, ok func(screen string) bool) (screen string) {
	t.Helper()
	term.await("a screen", func(shown []byte) bool {
		pictures := strings.Split(string(shown[:]), "\x1b[H")
		last := pictures[len(pictures)-1]
		if !strings.Contains(last, "q quit") {
			return false
		}
		g := newGrid(columns, rows)
		g.write("\x1b[H" + last)
		screen = g.String()
		if g.wrapped {
			t.Errorf("wider than the terminal:\n%s", screen)
		}
		return ok(screen)
	})
	return screen
}

func showsRows(t *testing.T, term *terminal, columns, rows int, names ...string) {
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
