package tmtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/statedir"
)

// A Host is what one taskmaster has to itself: a directory with its
// configuration, its state directory and whatever its programs write. In a
// configuration %(here)s is that directory.
type Host struct {
	T      T
	Dir    string
	Config string   // the path of taskmaster.yaml
	State  string   // the state directory; tmd makes it
	Env    []string // added to that of what the host runs
	As     []string // put before the programs of taskmaster: a command that runs them as someone else

	daemons []*Tmd
}

// NewHost makes a host with a configuration; nothing runs yet. All that it
// comes to run is ended with the test.
func NewHost(t *testing.T, config string) *Host {
	t.Helper()
	dir, err := os.MkdirTemp("", "tm")
	if err == nil {
		err = os.Chmod(dir, 0o755) // programs of other users work in it too
	}
	if err != nil {
		t.Fatal(err)
	}
	h := hostIn(dir)
	h.T = t
	t.Cleanup(func() {
		if t.Failed() {
			h.report()
		}
		h.sweep()
		h.checkRaces(t)
		os.RemoveAll(dir)
	})
	h.Write(config)
	return h
}

func hostIn(dir string) *Host {
	return &Host{Dir: dir, Config: filepath.Join(dir, "taskmaster.yaml"), State: filepath.Join(dir, "state")}
}

// Write replaces the configuration. It is made to listen where the kernel
// finds a free port, unless it has a `taskmaster:` map of its own; what is
// added for that comes last, so that line numbers stay.
func (h *Host) Write(config string) {
	h.T.Helper()
	if !regexp.MustCompile(`(?m)^taskmaster:`).MatchString(config) {
		config = strings.TrimRight(config, "\n") + "\ntaskmaster: {listen: 127.0.0.1:0}\n"
	}
	h.File("taskmaster.yaml", config)
}

// File writes a file into the host's directory and returns its path.
func (h *Host) File(name, content string) string {
	h.T.Helper()
	path := filepath.Join(h.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		h.T.Fatalf("%v", err)
	}
	return path
}

// Read returns the content of a file of the host, "" while there is none.
func (h *Host) Read(name string) string {
	text, err := os.ReadFile(filepath.Join(h.Dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.T.Fatalf("%v", err)
	}
	return string(text)
}

// A Result is what came of a command.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs one of the five programs to its end.
func (h *Host) Run(name string, args ...string) Result {
	h.T.Helper()
	return h.RunCommand(h.command(Bin(name), args...))
}

// command is a program of taskmaster, run as whom the host says.
func (h *Host) command(path string, args ...string) *exec.Cmd {
	argv := slices.Concat(h.As, []string{path}, args)
	return exec.Command(argv[0], argv[1:]...)
}

// RunCommand runs any command to its end, in the host's directory unless it
// says otherwise. One that hangs is ended; its exit code is -1 then. What it
// started and left behind may hold its output open: that is not waited for.
func (h *Host) RunCommand(cmd *exec.Cmd) Result {
	h.T.Helper()
	if cmd.Dir == "" {
		cmd.Dir = h.Dir
	}
	if cmd.Env == nil {
		cmd.Env = append(os.Environ(), h.Env...)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	err := cmd.Start()
	if err == nil {
		hung := time.AfterFunc(Patience, func() { cmd.Process.Kill() })
		err = cmd.Wait()
		hung.Stop()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		h.T.Fatalf("unable to run %v: %v", cmd.Args, err)
	}
	return Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// Ctl runs tmctl on the host's tmd.
func (h *Host) Ctl(args ...string) Result {
	h.T.Helper()
	return h.Run("tmctl", append([]string{"-d", h.State}, args...)...)
}

// OK runs tmctl, fails the test when it does, and returns what it printed.
func (h *Host) OK(args ...string) string {
	h.T.Helper()
	r := h.Ctl(args...)
	if r.Code != 0 {
		h.T.Fatalf("tmctl %s: exit %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Status reads the status file of an instance; it works without tmd. The
// zero Status is that of an instance that has none.
func (h *Host) Status(name string) statedir.Status {
	h.T.Helper()
	status, err := statedir.Dir(h.State).Run(name).ReadStatus()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.T.Fatalf("status of %s: %v", name, err)
	}
	return status
}

// Await waits until instances are in a state, by their status files.
func (h *Host) Await(state string, names ...string) {
	h.T.Helper()
	for _, name := range names {
		var now statedir.Status
		Until(h.T, func() bool { now = h.Status(name); return now.State == state }, "%s is %s", name, state)
	}
}

// PID is that of an instance's program, which must run.
func (h *Host) PID(name string) int {
	h.T.Helper()
	status := h.Status(name)
	if status.PID == 0 {
		h.T.Fatalf("%s does not run: %s", name, status.Line())
	}
	return status.PID
}

// Log is the event log.
func (h *Host) Log() string { return h.Read("state/taskmaster.log") }

// AwaitLog waits for a line in the event log; each dot-star of the pattern
// stays within its line.
func (h *Host) AwaitLog(pattern string) {
	h.T.Helper()
	re := regexp.MustCompile(pattern)
	Until(h.T, func() bool { return re.MatchString(h.Log()) }, "the event log has %s", pattern)
}

// report shows what a failed test left.
func (h *Host) report() {
	for _, d := range h.daemons {
		h.T.Logf("tmd %d said:\n%s", d.PID(), d.Stderr())
	}
	h.T.Logf("event log:\n%s", lastPart(h.Log()))
	h.T.Logf("processes:\n%s", Describe(h.Leftovers()))
}

// lastPart keeps a message readable.
func lastPart(text string) string {
	const most = 8000
	if len(text) > most {
		return "...\n" + text[len(text)-most:]
	}
	return text
}

func (h *Host) checkRaces(t *testing.T) {
	for _, d := range h.daemons {
		if strings.Contains(d.Stderr(), "DATA RACE") {
			t.Errorf("tmd has a data race:\n%s", d.Stderr())
		}
	}
}
