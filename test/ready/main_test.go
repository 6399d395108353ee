// Package ready_test holds what section READY of taskmaster.yaml(5) promises,
// on the whole system: up means ready, what comes after what, health checks
// and watchdogs, by scripts, with programs of others, and with keepers that
// are killed.
package ready_test

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/statedir"
	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }

// TestScripts: words and exit codes, one script for each subject.
func TestScripts(t *testing.T) {
	t.Parallel()
	tmtest.Scripts(t, "testdata/script")
}

// A gate is a FIFO at which programs wait, each for one line: `read x < gate`.
type gate struct {
	t    *testing.T
	file *os.File
}

func newGate(t *testing.T, h *tmtest.Host, name string) gate {
	t.Helper()
	path := h.Dir + "/" + name
	must(t, syscall.Mkfifo(path, 0o666))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { file.Close() })
	return gate{t, file}
}

// open lets n programs through.
func (g gate) open(n int) {
	g.t.Helper()
	_, err := g.file.WriteString(strings.Repeat("\n", n))
	must(g.t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort is a port of 127.0.0.1 that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// starting waits until a program is STARTING, and returns its pid.
func starting(h *tmtest.Host, name string) (pid int) {
	h.T.Helper()
	tmtest.Until(h.T, func() bool {
		s := h.Status(name)
		pid = s.PID
		return s.State == "STARTING" && pid != 0
	}, "%s is STARTING", name)
	return pid
}

// awaitDetail waits for what status shows as an instance's detail.
func awaitDetail(h *tmtest.Host, name, want string) {
	h.T.Helper()
	now := ""
	tmtest.Until(h.T, func() bool { now = detail(h, name); return now == want }, "the detail of %s is %q", name, want)
}

func detail(h *tmtest.Host, name string) string {
	h.T.Helper()
	r := h.Ctl("status", "-p", name)
	fields := strings.Split(strings.TrimSuffix(r.Stdout, "\n"), "\t")
	if len(fields) != 6 {
		h.T.Fatalf("status -p %s: %q %s", name, r.Stdout, r.Stderr)
	}
	return fields[5]
}

// command writes a line to the helper of an instance, as tmd does.
func command(h *tmtest.Host, name, format string, args ...any) {
	h.T.Helper()
	f, err := os.OpenFile(statedir.Dir(h.State).Run(name).Control(), os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(f, format+"\n", args...)
		f.Close()
	}
	if err != nil {
		h.T.Fatalf("%v", err)
	}
}

// times counts the lines of the event log that match.
func times(h *tmtest.Host, pattern string) int {
	return len(regexp.MustCompile(`(?m)`+pattern).FindAllString(h.Log(), -1))
}
