package tmtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// Scripts runs the scripts of a directory (testscript). Each has a Host of
// its own, whose directory is the script's $WORK, with taskmaster.yaml in it;
// $STATE is its state directory, and the five programs are on its PATH. The
// commands beyond those of testscript:
//
//	tmd [ARG ...]       start tmd in the background, wait until it serves
//	[!] tmctl ARG ...   run tmctl on it
//	exits CODE CMD ...  run any command, hold its exit code; ctl is tmctl on this tmd
//	ended [CODE]        wait for tmd to end so, 0 by default, and that nothing is left
//	signal NAME WHO     send a signal to tmd, an instance's program, or helper/INSTANCE
//	waitfor NAME STATE  wait until an instance is in a state, by its status file
//	waitlog REGEXP      wait until the event log has a line
//	waitfile FILE [RE]  wait until a file is there, or matches
//	kept NAME ...       hold that these have the pids of the last `kept`
//	normal FILE         print a file, or stdout, stderr, without what differs from run to run
func Scripts(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"tmd": scriptTmd, "tmctl": scriptTmctl, "exits": scriptExits, "ended": scriptEnded,
			"signal": scriptSignal, "waitfor": scriptWaitFor, "waitlog": scriptWaitLog,
			"waitfile": scriptWaitFile, "kept": scriptKept, "normal": scriptNormal,
		},
	})
}

type hostKey struct{}

// A scripted is the host of a script and what its commands remember.
type scripted struct {
	*Host
	pids map[string]int
}

func setUpScript(env *testscript.Env) error {
	if err := os.Chmod(env.WorkDir, 0o755); err != nil {
		return err
	}
	h := hostIn(env.WorkDir)
	env.Values[hostKey{}] = &scripted{Host: h, pids: map[string]int{}}
	env.Setenv("PATH", bin+":"+env.Getenv("PATH")+":/usr/sbin:/sbin")
	env.Setenv("STATE", h.State)
	env.Setenv("BIN", bin)
	env.Defer(func() {
		h.T = silent{env.T()}
		h.sweep()
	})
	return nil
}

// silent is a T for after a script.
type silent struct{ testscript.T }

func (silent) Helper()                     {}
func (s silent) Logf(f string, a ...any)   { s.Log(fmt.Sprintf(f, a...)) }
func (s silent) Fatalf(f string, a ...any) { s.Fatal(fmt.Sprintf(f, a...)) }

// scriptT is a T while a script runs.
type scriptT struct{ *testscript.TestScript }

func (scriptT) Helper() {}

func hostOf(ts *testscript.TestScript) *scripted {
	s := ts.Value(hostKey{}).(*scripted)
	s.T = scriptT{ts}
	return s
}

// positive refuses the ! that a command has no meaning for.
func positive(ts *testscript.TestScript, neg bool) {
	if neg {
		ts.Fatalf("this command takes no !")
	}
}

func scriptTmd(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	h := hostOf(ts)
	argv := append([]string{"-c", h.Config, "-d", h.State}, args...)
	cmd := exec.Command(Bin("tmd"), argv...)
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"))
	h.Launch(cmd).AwaitUp()
}

func scriptTmctl(ts *testscript.TestScript, neg bool, args []string) {
	argv := limited(append([]string{Bin("tmctl"), "-d", hostOf(ts).State}, args...))
	err := ts.Exec(argv[0], argv[1:]...)
	switch {
	case err == nil && neg:
		ts.Fatalf("unexpected success")
	case err != nil && !neg:
		ts.Fatalf("unexpected failure: %v", err)
	}
}

// limited has timeout(1) end a command that hangs, with exit code 124, so that
// the script fails in that line and the others go on.
func limited(argv []string) []string {
	return append([]string{"timeout", strconv.Itoa(int(Patience.Seconds()))}, argv...)
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD [ARG ...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	argv := args[1:]
	if argv[0] == "ctl" {
		argv = append([]string{Bin("tmctl"), "-d", hostOf(ts).State}, argv[1:]...)
	}
	argv = limited(argv)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(argv[0], argv[1:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit %d, want %d", code, want)
	}
}

func scriptEnded(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	h, want := hostOf(ts), 0
	if len(args) > 0 {
		var err error
		want, err = strconv.Atoi(args[0])
		ts.Check(err)
	}
	if len(h.daemons) == 0 {
		ts.Fatalf("tmd was not started")
	}
	d := h.daemons[len(h.daemons)-1]
	if code := d.Wait(); code != want {
		ts.Fatalf("tmd: exit %d, want %d\n%s", code, want, d.Stderr())
	}
	h.NothingLeft()
}

func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	if len(args) != 2 {
		ts.Fatalf("usage: signal NAME tmd|INSTANCE|helper/INSTANCE")
	}
	sig := unix.SignalNum("SIG" + args[0])
	if sig == 0 {
		ts.Fatalf("%s: no such signal", args[0])
	}
	ts.Check(syscall.Kill(hostOf(ts).named(args[1]), sig))
}

// named is the pid of what a script names.
func (h *scripted) named(who string) int {
	if who == "tmd" {
		return h.daemons[len(h.daemons)-1].PID()
	}
	if instance, ok := strings.CutPrefix(who, "helper/"); ok {
		pid := h.Helper(instance)
		if pid == 0 {
			h.T.Fatalf("%s has no helper", instance)
		}
		return pid
	}
	return h.PID(who)
}

func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	if len(args) < 2 {
		ts.Fatalf("usage: waitfor NAME ... STATE")
	}
	last := len(args) - 1
	hostOf(ts).Await(args[last], args[:last]...)
}

func scriptWaitLog(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	for _, pattern := range args {
		hostOf(ts).AwaitLog(pattern)
	}
}

func scriptWaitFile(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfile FILE [REGEXP]")
	}
	re := regexp.MustCompile("")
	if len(args) == 2 {
		re = regexp.MustCompile(args[1])
	}
	path := ts.MkAbs(args[0])
	Until(scriptT{ts}, func() bool {
		text, err := os.ReadFile(path)
		return err == nil && re.Match(text)
	}, "%s has %s", args[0], re)
}

// scriptKept compares the pids of instances with those it saw before, if it
// did; `! kept` holds that they all differ.
func scriptKept(ts *testscript.TestScript, neg bool, args []string) {
	h := hostOf(ts)
	for _, name := range args {
		now := h.PID(name)
		if before := h.pids[name]; before != 0 && (before == now) == neg {
			ts.Fatalf("%s: pid %d, was %d", name, now, before)
		} else if before == 0 && neg {
			ts.Fatalf("%s: its pid was not taken before", name)
		}
		h.pids[name] = now
	}
}

func scriptNormal(ts *testscript.TestScript, neg bool, args []string) {
	positive(ts, neg)
	if len(args) != 1 {
		ts.Fatalf("usage: normal FILE|stdout|stderr")
	}
	text := Normal(ts.ReadFile(args[0]), ts.Getenv("WORK"))
	_, err := ts.Stdout().Write([]byte(text))
	ts.Check(err)
}
