package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// A terminal is a pseudo-terminal with tmctl in it.
type terminal struct {
	t      *testing.T
	keys   *os.File // the user's side
	tty    *os.File // the program's side
	cmd    *exec.Cmd
	before unix.Termios

	mu      sync.Mutex
	changed *sync.Cond
	shown   bytes.Buffer
	read    int // how far expect has looked
	overdue bool
}

// home makes a state directory for d and the environment that finds it.
func home(t *testing.T, d *daemon) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"address": d.address, "secret": d.secret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"HOME=" + dir, "TMCTL_SERVER=" + d.address, "TMCTL_SECRET_FILE=" + dir + "/secret",
		"TERM=xterm", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH"), "GORACE=" + quickExit,
		"XDG_STATE_HOME=" + dir + "/xdg"}
}

// open starts tmctl in a terminal of 80x24.
func open(t *testing.T, env []string, args ...string) *terminal {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(keys, &pty.Winsize{Cols: 80, Rows: 24}); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("tmctl")
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, keys: keys, tty: tty, cmd: exec.Command(path, args...)}
	term.changed = sync.NewCond(&term.mu)
	term.before = term.mode()
	term.cmd.Stdin, term.cmd.Stdout, term.cmd.Stderr = tty, tty, tty
	term.cmd.Env = env
	term.cmd.Dir = t.TempDir()
	term.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go term.listen()
	t.Cleanup(func() {
		term.cmd.Process.Kill()
		term.cmd.Wait()
		keys.Close()
		tty.Close()
	})
	return term
}

func (term *terminal) listen() {
	buffer := make([]byte, 4096)
	for {
		n, err := term.keys.Read(buffer)
		term.mu.Lock()
		term.shown.Write(buffer[:n])
		term.mu.Unlock()
		term.changed.Broadcast()
		if err != nil {
			return
		}
	}
}

func (term *terminal) mode() unix.Termios {
	term.t.Helper()
	mode, err := unix.IoctlGetTermios(int(term.tty.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return *mode
}

func (term *terminal) press(keys string) {
	term.t.Helper()
	if _, err := term.keys.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// expect waits until each of the texts has been shown, in this order, after
// what was expected before. It returns all that was shown since then.
func (term *terminal) expect(texts ...string) string {
	term.t.Helper()
	start := term.read
	for _, text := range texts {
		term.await(text, func(shown []byte) bool {
			at := bytes.Index(shown[term.read:], []byte(text))
			if at >= 0 {
				term.read += at + len(text)
			}
			return at >= 0
		})
	}
	term.mu.Lock()
	defer term.mu.Unlock()
	return string(term.shown.Bytes()[start:term.read])
}

// await waits until ok of all that was shown.
func (term *terminal) await(what string, ok func(shown []byte) bool) {
	term.t.Helper()
	timer := time.AfterFunc(limit, func() {
		term.mu.Lock()
		term.overdue = true
		term.mu.Unlock()
		term.changed.Broadcast()
	})
	defer timer.Stop()
	term.mu.Lock()
	defer term.mu.Unlock()
	for !ok(term.shown.Bytes()) {
		if term.overdue {
			shown := term.shown.Bytes()
			term.t.Fatalf("never saw %q; shown at last:\n%q", what, shown[max(term.read, len(shown)-2000):])
		}
		term.changed.Wait()
	}
}

// ends waits for tmctl to exit and checks how, and that the terminal is as it
// was found.
func (term *terminal) ends(code int) {
	term.t.Helper()
	ended := make(chan struct{})
	go func() {
		term.cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(limit):
		term.t.Fatalf("still there; shown since:\n%q", term.shown.Bytes()[term.read:])
	}
	if got := term.cmd.ProcessState.ExitCode(); got != code {
		term.t.Errorf("exit code %d, want %d", got, code)
	}
	if after := term.mode(); after != term.before {
		term.t.Errorf("terminal settings\nbefore %+v\nafter  %+v", term.before, after)
	}
}

// prompt is what the shell shows when it is ready.
func prompt(d *daemon) string { return "tmctl " + d.address + "> " }

// A grid is what a terminal of that size shows after some output: a reader of
// the few sequences that top uses (ECMA-48).
type grid struct {
	lines       [][]rune
	row, column int
	wrapped     bool // something was written beyond the last column
}

func newGrid(columns, rows int) *grid {
	g := &grid{}
	for range rows {
		g.lines = append(g.lines, []rune(strings.Repeat(" ", columns)))
	}
	return g
}

func (g *grid) write(text string) {
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\r':
			g.column = 0
		case r == '\n':
			g.row = min(g.row+1, len(g.lines)-1)
		case r == '\x1b' && i+1 < len(runes) && runes[i+1] == '[':
			end := i + 2
			for end < len(runes) && (runes[end] < '@' || runes[end] > '~') {
				end++
			}
			if end < len(runes) {
				g.control(string(runes[i+2:end]), runes[end])
			}
			i = end
		default:
			if g.column >= len(g.lines[g.row]) {
				g.wrapped = true
				continue
			}
			g.lines[g.row][g.column] = r
			g.column++
		}
	}
}

func (g *grid) control(parameters string, final rune) {
	switch final {
	case 'H':
		g.row, g.column = 0, 0
		if row, _, ok := strings.Cut(parameters, ";"); ok {
			for _, digit := range row {
				g.row = g.row*10 + int(digit-'0')
			}
			g.row = min(max(g.row-1, 0), len(g.lines)-1)
		}
	case 'K':
		blank(g.lines[g.row][min(g.column, len(g.lines[g.row])):])
	case 'J':
		blank(g.lines[g.row][min(g.column, len(g.lines[g.row])):])
		for _, line := range g.lines[g.row+1:] {
			blank(line)
		}
	}
}

func blank(cells []rune) {
	for i := range cells {
		cells[i] = ' '
	}
}

func (g *grid) String() string {
	var text strings.Builder
	for _, line := range g.lines {
		text.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return text.String()
}
