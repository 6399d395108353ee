package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"taskmaster/lib/cleansig"
	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// The programs that the tests run, built by TestMain.
var (
	helperPath  string // tmsupervise
	pausingPath string // the same with -tags pausepoints
	tamePath    string // testdata/tame
)

func TestMain(m *testing.M) {
	// A helper passes on what it was started with; under tmd that is clean.
	if err := cleansig.Ensure(); err != nil {
		panic(err)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if os.Getenv("TM_GROWTH") != "" {
		return m.Run() // the child of TestNoGrowth
	}
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return m.Run() // each worker of a fuzz target, which needs no program
	}
	dir, err := os.MkdirTemp("", "tmsupervise-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // other users run tame, too
		panic(err)
	}
	helperPath, pausingPath, tamePath = dir+"/tmsupervise", dir+"/pausing/tmsupervise", dir+"/tame"
	build(helperPath, ".")
	build(pausingPath, "-tags", "pausepoints", ".")
	build(tamePath, "./testdata/tame")
	// As tmd is: what a dead helper leaves becomes ours.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	// They wait more than they work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	return m.Run()
}

func build(to string, args ...string) {
	cmd := exec.Command("go", append([]string{"build", "-o", to}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build %v: %v\n%s", args, err, out))
	}
}

// limit is how long a test waits for what must come.
const limit = 30 * time.Second

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(limit); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// A rig is a state directory with one instance, x:0, as tmd makes it, and the
// reading end of its events.
type rig struct {
	t      *testing.T
	spec   *spec.Spec
	run    statedir.Run
	env    []string // of the helper
	path   string   // of the helper
	helper *exec.Cmd
	stderr string // where its standard error goes

	control *os.File
	mutex   sync.Mutex
	events  []event.Event
	seen    int // events that expect has passed
}

// newRig prepares an instance that runs cmd.
func newRig(t *testing.T, cmd ...string) *rig {
	t.Helper()
	dir, err := statedir.Create(t.TempDir() + "/state")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, run: dir.Run("x:0"), path: helperPath, env: []string{"PATH=" + os.Getenv("PATH"), "GOMAXPROCS=1", "GOGC=off"}}
	r.stderr = string(dir) + "/stderr"
	r.spec = spec.Default()
	r.spec.Name, r.spec.Program, r.spec.State, r.spec.Cmd = "x:0", "x", string(dir), cmd
	r.spec.Env = []string{"PATH=" + os.Getenv("PATH"), "TM_NAME=x:0", "TM_PROGRAM=x", "TM_NUM=0", "TM_STATE=" + string(dir)}
	if err := r.run.Create(); err != nil {
		t.Fatal(err)
	}
	if err := statedir.MakeFIFO(dir.Events(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.control = openFIFO(t, r.run.Control())
	go r.listen(openFIFO(t, dir.Events()))
	t.Cleanup(r.cleanUp)
	return r
}

func openFIFO(t *testing.T, path string) *os.File {
	t.Helper()
	fd, err := statedir.OpenFIFO(path, unix.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	t.Cleanup(func() { f.Close() })
	return f
}

func (r *rig) listen(events *os.File) {
	var text []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := events.Read(buf)
		if err != nil {
			return
		}
		text = append(text, buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(text, []byte("\n"))
			if !whole {
				break
			}
			text = rest
			e, err := event.Parse(string(line))
			if err != nil {
				r.t.Errorf("the helper sent %q", line)
			}
			r.mutex.Lock()
			r.events = append(r.events, e)
			r.mutex.Unlock()
		}
	}
}

// cleanUp ends all that still runs.
func (r *rig) cleanUp() {
	if r.helper != nil {
		r.kill()
	}
	// A program that was just started may fork while it is being ended.
	for kin := r.kin(); len(kin) > 0; kin = r.kin() {
		for _, pid := range kin {
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
	if r.t.Failed() {
		r.t.Logf("helper's stderr: %s", r.said())
		r.mutex.Lock()
		defer r.mutex.Unlock()
		for _, e := range r.events {
			r.t.Log(e.String())
		}
	}
}

// kin are the living processes with the instance's environment, or of the
// sessions of such.
func (r *rig) kin() []int {
	pids, _ := procfs.Pids()
	var found []int
	for _, pid := range pids {
		s, err := procfs.ReadStat(pid)
		if err == nil && !s.Dead() && procfs.HasEnv(pid, "TM_STATE="+r.spec.State) {
			found = append(found, pid)
		}
	}
	return found
}

// begin writes the spec and starts a helper on it.
func (r *rig) begin() *rig {
	r.t.Helper()
	if err := statedir.Replace(r.run.Spec(), r.spec.Text()); err != nil {
		r.t.Fatal(err)
	}
	return r.beginAgain()
}

// beginAgain starts a helper on what is there.
func (r *rig) beginAgain() *rig {
	r.t.Helper()
	r.helper = exec.Command(r.path, "-d", string(r.run))
	r.helper.Env = r.env
	stderr, err := os.OpenFile(r.stderr, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer stderr.Close()
	r.helper.Stderr = stderr
	r.helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := r.helper.Start(); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// said is what helpers wrote to their standard error.
func (r *rig) said() string {
	text, _ := os.ReadFile(r.stderr)
	return string(text)
}

// kill ends the helper as a crash does.
func (r *rig) kill() {
	r.helper.Process.Kill()
	r.helper.Process.Wait()
	r.helper = nil
}

// tell writes one command.
func (r *rig) tell(words string) {
	r.t.Helper()
	if _, err := r.control.WriteString(words + "\n"); err != nil {
		r.t.Fatal(err)
	}
}

// expect waits for the next event of a kind, passing over others, and returns it.
func (r *rig) expect(kind string) *event.Event {
	r.t.Helper()
	var found *event.Event
	eventually(r.t, "event "+kind, func() bool {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		for r.seen < len(r.events) {
			e := r.events[r.seen]
			r.seen++
			if e.Kind == kind {
				found = &e
				return true
			}
		}
		return false
	})
	return found
}

// status is the status file, which always exists once there was an event.
func (r *rig) status() statedir.Status {
	r.t.Helper()
	s, err := r.run.ReadStatus()
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// comesTo waits until the status shows a state.
func (r *rig) comesTo(state string) statedir.Status {
	r.t.Helper()
	eventually(r.t, "state "+state, func() bool {
		s, err := r.run.ReadStatus()
		return err == nil && s.State == state
	})
	return r.status()
}

// ended waits for the end of the helper and returns its exit code.
func (r *rig) ended() int {
	r.t.Helper()
	err := r.helper.Wait()
	code := r.helper.ProcessState.ExitCode()
	r.helper = nil
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		r.t.Fatal(err)
	}
	return code
}

// file is a path in the test's own directory.
func (r *rig) file(name string) string { return filepath.Join(r.t.TempDir(), name) }

// readNumber waits for a file that holds a number.
func readNumber(t *testing.T, path string) int {
	t.Helper()
	n := 0
	eventually(t, "a number in "+path, func() bool {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.HasSuffix(text, []byte("\n")) {
			return false
		}
		n, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	return n
}

func alive(pid int) bool {
	s, err := procfs.ReadStat(pid)
	return err == nil && !s.Dead()
}

// script makes an executable file.
func script(t *testing.T, text string) string {
	t.Helper()
	path := t.TempDir() + "/script"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// stateOf is the letter of proc(5), 0 for no such process.
func stateOf(pid int) byte {
	s, _ := procfs.ReadStat(pid)
	return s.State
}
