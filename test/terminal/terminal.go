// Package terminal runs a program in a pseudo-terminal, presses keys and waits
// for what the program shows. It is for tests.
package terminal

import (
	"bytes"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// What the keys of a terminal send (xterm's ctlseqs).
const (
	CtrlC = "\x03"
	CtrlD = "\x04"
	CtrlR = "\x12"
	CtrlU = "\x15"
	CtrlW = "\x17"
	Enter = "\r"
	Tab   = "\t"
	Up    = "\x1b[A"
	Left  = "\x1b[D"
	Home  = "\x1b[H"
	End   = "\x1b[F"
)

// A Terminal is a pseudo-terminal with a program in it.
type Terminal struct {
	Cmd *exec.Cmd

	t      testing.TB
	keys   *os.File // the user's side
	tty    *os.File // the program's side
	before unix.Termios

	mu      sync.Mutex
	changed *sync.Cond
	shown   bytes.Buffer
	read    int // how far expect has looked
	overdue bool
}

// Open starts cmd in a terminal of 80x24 that ends with the test.
func Open(t testing.TB, cmd *exec.Cmd) *Terminal {
	t.Helper()
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	term := &Terminal{t: t, keys: keys, tty: tty, Cmd: cmd}
	term.changed = sync.NewCond(&term.mu)
	term.Resize(80, 24)
	term.before = term.mode()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go term.listen()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		keys.Close()
		tty.Close()
	})
	return term
}

// Resize gives the terminal another size, of which the program is told.
func (term *Terminal) Resize(columns, rows int) {
	term.t.Helper()
	size := pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)}
	if err := pty.Setsize(term.keys, &size); err != nil {
		term.t.Fatal(err)
	}
}

func (term *Terminal) listen() {
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

func (term *Terminal) mode() unix.Termios {
	term.t.Helper()
	mode, err := unix.IoctlGetTermios(int(term.tty.Fd()), unix.TCGETS)
	if err != nil {
		term.t.Fatal(err)
	}
	return *mode
}

// Press types keys.
func (term *Terminal) Press(keys string) {
	term.t.Helper()
	if _, err := term.keys.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// Expect waits until each of the texts has been shown, in this order, after
// what was expected before. It returns all that was shown since then.
func (term *Terminal) Expect(texts ...string) string {
	term.t.Helper()
	start := term.read
	for _, text := range texts {
		term.Await(text, func(shown []byte) bool {
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

// Await waits until ok of all that was shown.
func (term *Terminal) Await(what string, ok func(shown []byte) bool) {
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

// Ends waits for the program to exit and checks how, and that the terminal is as it
// was found.
func (term *Terminal) Ends(code int) {
	term.t.Helper()
	ended := make(chan struct{})
	go func() {
		term.Cmd.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(limit):
		term.t.Fatalf("still there; shown since:\n%q", term.shown.Bytes()[term.read:])
	}
	if got := term.Cmd.ProcessState.ExitCode(); got != code {
		term.t.Errorf("exit code %d, want %d", got, code)
	}
	if after := term.mode(); after != term.before {
		term.t.Errorf("terminal settings\nbefore %+v\nafter  %+v", term.before, after)
	}
}

// Shown is all that was shown until now.
func (term *Terminal) Shown() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.shown.String()
}
