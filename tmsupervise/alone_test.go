package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// A lone helper is one that works alone, as from a shell script.
type lone struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	reader *os.File
	stderr strings.Builder
}

// runLone starts one with pipes to its standard input and output.
func runLone(t *testing.T, args ...string) *lone {
	t.Helper()
	return runLoneBy(t, exec.Command(helperPath, args...))
}

func runLoneBy(t *testing.T, cmd *exec.Cmd) *lone {
	t.Helper()
	l := &lone{t: t, cmd: cmd}
	l.cmd.Stderr = &l.stderr
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if l.stdin, err = l.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l.cmd.Stdout, l.reader, l.stdout = writer, reader, bufio.NewReader(reader)
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	t.Cleanup(func() {
		l.cmd.Process.Signal(unix.SIGTERM)
		l.cmd.Wait()
		reader.Close()
	})
	return l
}

// expect reads events until one of that kind.
func (l *lone) expect(kind string) *event.Event {
	l.t.Helper()
	for {
		line, err := l.stdout.ReadString('\n')
		if err != nil {
			l.t.Fatalf("no event %s: %v", kind, err)
		}
		e, err := event.Parse(line)
		if err != nil {
			l.t.Fatalf("not an event: %q", line)
		}
		if e.Kind == kind {
			return &e
		}
	}
}

func (l *lone) tell(words string) {
	l.t.Helper()
	if _, err := io.WriteString(l.stdin, words+"\n"); err != nil {
		l.t.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (l *lone) exit() int {
	l.t.Helper()
	if err := l.cmd.Wait(); err != nil && l.cmd.ProcessState == nil {
		l.t.Fatal(err)
	}
	return l.cmd.ProcessState.ExitCode()
}

// Commands on standard input are obeyed in every state; their end ends
// neither the program nor its supervision; TERM stops both.
func TestAloneCommands(t *testing.T) {
	t.Parallel()
	l := runLone(t, "-n", "web", "-s", "0", "-r", "always", "--", "/bin/sleep", "1000")
	first := l.expect(event.Starting)
	if first.Name != "web" || first.Get("cause") != "boot" {
		t.Error(first.String())
	}
	l.expect(event.Running)
	l.tell("nonsense")
	l.tell("stop")
	l.expect(event.Stopped)
	l.tell("start")
	l.expect(event.Running)
	l.tell("signal KILL")
	if e := l.expect(event.Exited); e.Get("signal") != "KILL" {
		t.Error(e.String())
	}
	l.expect(event.Running)
	l.tell("restart")
	pid := l.expect(event.Running).Int("pid")
	l.stdin.Close()
	unix.Kill(pid, unix.SIGKILL)
	l.expect(event.Running)
	l.cmd.Process.Signal(unix.SIGTERM)
	l.expect(event.Stopped)
	if code := l.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if want := "tmsupervise web: warning: a command was ignored: nonsense\n"; l.stderr.String() != want {
		t.Errorf("stderr %q", l.stderr.String())
	}
}

// Under nohup(1) a hangup ends nothing; to the program it is a signal like any
// other.
func TestAloneUnderNohup(t *testing.T) {
	t.Parallel()
	l := runLoneBy(t, exec.Command("nohup", helperPath, "-n", "web", "-s", "0", "-r", "always", "--", "/bin/sleep", "1000"))
	l.expect(event.Running)
	l.cmd.Process.Signal(unix.SIGHUP)
	l.tell("restart")
	l.expect(event.Running)
	l.tell("signal HUP")
	if e := l.expect(event.Exited); e.Get("signal") != "HUP" {
		t.Error(e.String())
	}
	l.expect(event.Running)
	l.cmd.Process.Signal(unix.SIGTERM)
	l.expect(event.Stopped)
	if code := l.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Without commands it ends when its program has ended for good, with a code
// that says whether that was as it should be.
func TestAloneExit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		last string
	}{
		{[]string{"true"}, 0, event.Exited},
		{[]string{"-r", "never", "--", "/bin/sh", "-c", "exit 2"}, 111, event.Fatal},
		{[]string{"-x", "0,2", "sh", "-c", "exit 2"}, 0, event.Exited},
		{[]string{"-R", "0", "-s0.1", "/no/such/file"}, 111, event.Fatal},
		{[]string{"-r", "never", "-s", "0", "false"}, 0, event.Exited},
	} {
		cmd := exec.Command(helperPath, c.args...)
		out, err := cmd.Output()
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		last, parseErr := event.Parse(lines[len(lines)-1])
		if code := cmd.ProcessState.ExitCode(); code != c.code || parseErr != nil || last.Kind != c.last {
			t.Errorf("%q: %v, exit %d, last event %q", c.args, err, code, lines[len(lines)-1])
		}
	}
}

// The program's output is not mixed with the events: it goes to standard
// error, or where -o and -e say.
func TestAloneOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(helperPath, "-u", "027", "-C", dir, "--", "sh", "-c", "echo out; echo err >&2; umask; pwd")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.Contains(string(out), "\nout\n") {
		t.Errorf("%v, stdout %q", err, out)
	}
	if want := "out\nerr\n0027\n" + dir + "\n"; stderr.String() != want {
		t.Errorf("stderr %q, want %q", stderr.String(), want)
	}
	cmd = exec.Command(helperPath, "-o", dir+"/out", "-e", dir+"/err", "sh", "-c", "echo out; echo err >&2")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	sameText(t, "out\n", readWhole(t, dir+"/out"))
	sameText(t, "err\n", readWhole(t, dir+"/err"))
}

// A reader of the events that goes away does not end supervision.
func TestAloneBrokenPipe(t *testing.T) {
	t.Parallel()
	lock := t.TempDir() + "/lock"
	l := runLone(t, "-s", "0", "-r", "always", tamePath, "hold", lock)
	first := l.expect(event.Starting).Int("pid")
	l.reader.Close()
	readNumber(t, lock+".pid")
	unix.Kill(first, unix.SIGKILL)
	eventually(t, "another one", func() bool { return readNumber(t, lock+".pid") != first })
	l.cmd.Process.Signal(unix.SIGTERM)
	if code := l.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Every mistake on the command line is a usage error that says which word.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no command"},
		{[]string{"--"}, "no command"},
		{[]string{""}, "no command"},
		{[]string{"-q", "true"}, "unknown option -q"},
		{[]string{"--help"}, "unknown option --help"},
		{[]string{"-nweb", "-r", "sometimes", "true"}, `option -r: bad value "sometimes"`},
		{[]string{"-x", "0,256", "true"}, `option -x: bad value "0,256"`},
		{[]string{"-x", "", "true"}, `option -x: bad value ""`},
		{[]string{"-s", "-1", "true"}, `option -s: bad value "-1"`},
		{[]string{"-t", "soon", "true"}, `option -t: bad value "soon"`},
		{[]string{"-R", "-1", "true"}, `option -R: bad value "-1"`},
		{[]string{"-k", "NOSUCH", "true"}, `option -k: bad value "NOSUCH"`},
		{[]string{"-u", "9", "true"}, `option -u: bad value "9"`},
		{[]string{"-u", "1777", "true"}, `option -u: bad value "1777"`},
		{[]string{"-n"}, "option -n needs a value"},
		{[]string{"-d"}, "-d takes one directory and nothing else"},
		{[]string{"-d", "/x", "/y"}, "-d takes one directory and nothing else"},
	} {
		cmd := exec.Command(helperPath, c.args...)
		out, _ := cmd.CombinedOutput()
		want := "tmsupervise: fatal: " + c.want + "\ntmsupervise: usage: " + synopsis + "\n"
		if cmd.ProcessState.ExitCode() != 100 || string(out) != want {
			t.Errorf("%q: exit %d, %s", c.args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

// The usage line is the manual's SYNOPSIS.
func TestSynopsis(t *testing.T) {
	t.Parallel()
	text, err := exec.Command("mandoc", "-T", "utf8", "-O", "width=1000", "../man/tmsupervise.8").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(plainText(string(text)), "\nSYNOPSIS\n")
	section, _, _ = strings.Cut(section, "\nDESCRIPTION\n")
	got := strings.Join(strings.Fields(section), " ")
	got = strings.ReplaceAll(got, " tmsupervise -d", " | tmsupervise -d")
	got = strings.ReplaceAll(got, "always | never | unexpected", "always|never|unexpected")
	if got != synopsis {
		t.Errorf("manual %q\nusage  %q", got, synopsis)
	}
}

// plainText undoes the overstriking of mandoc(1), and its typography.
func plainText(text string) string {
	var out []rune
	for _, c := range text {
		switch {
		case c == '\b' && len(out) > 0:
			out = out[:len(out)-1]
		case c == '\u2010' || c == '\u2212':
			out = append(out, '-')
		case c == '\u2026':
			out = append(out, '.', '.', '.')
		case c == '\u00a0':
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}
