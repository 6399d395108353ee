package die

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

// said runs f with standard error in a pipe and returns what it wrote and the
// exit code, -1 when it did not exit.
func said(t *testing.T, f func()) (text string, code int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	keep, err := syscall.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	syscall.Dup3(int(w.Fd()), 2, 0)
	code = -1
	exit = func(c int) {
		if code == -1 {
			code = c
		}
	}
	f()
	exit = os.Exit
	syscall.Dup3(keep, 2, 0)
	syscall.Close(keep)
	w.Close()
	buf := make([]byte, 1<<16)
	n, _ := r.Read(buf)
	return string(buf[:n]), code
}

func TestGrammar(t *testing.T) {
	Name = "tmd"
	denied := &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}
	for _, c := range []struct {
		do   func()
		text string
		code int
	}{
		{func() { Fatal(Temporary, "unable to open /x", denied) }, "tmd: fatal: unable to open /x: permission denied\n", 111},
		{func() { Fatal(Usage, "no command", nil) }, "tmd: fatal: no command\n", 100},
		{func() { Warn("unable to lock", syscall.ENOENT) }, "tmd: warning: unable to lock: no such file\n", -1},
		{func() { Warn("unable to open /\x1b[31mé\n\u009b\xff", syscall.ENOENT) },
			`tmd: warning: unable to open /\x1b[31mé\x0a\xc2\x9b\xff: no such file` + "\n", -1},
		{func() { UsageError("", "tmd [-t]") }, "tmd: usage: tmd [-t]\n", 100},
		{func() { UsageError("unknown option -x", "tmd [-t]") }, "tmd: fatal: unknown option -x\ntmd: usage: tmd [-t]\n", 100},
	} {
		if text, code := said(t, c.do); text != c.text || code != c.code {
			t.Errorf("said %q, exit %d, want %q, %d", text, code, c.text, c.code)
		}
	}
}

func TestOnPanic(t *testing.T) {
	Name = "tmd"
	text, code := said(t, func() {
		defer OnPanic()
		panic(errors.New("index out of range"))
	})
	if code != Bug || !strings.HasPrefix(text, "tmd: fatal: bug, please report it: index out of range\n") || !strings.Contains(text, "die_test.go") {
		t.Errorf("exit %d: %s", code, text)
	}
}

func TestReason(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{syscall.ETXTBSY, "text file busy"},
		{os.NewSyscallError("bind", syscall.EADDRINUSE), "address already in use"},
		{errors.New("malformed"), "malformed"},
	} {
		if got := Reason(c.err); got != c.want {
			t.Errorf("Reason(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}
