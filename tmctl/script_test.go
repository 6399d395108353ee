package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"taskmaster/lib/cleansig"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// Whoever runs the tests may ignore signals, as nohup(1) does.
	if err := cleansig.Ensure(); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"tmctl": main})
}

// TestScripts runs testdata/script, each against a daemon of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: prepare,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}

// quickExit stops the race detector from sleeping a second at each exit.
const quickExit = "atexit_sleep_ms=0"

// prepare makes the state directory that a daemon would.
func prepare(env *testscript.Env) error {
	d, err := startDaemon()
	if err != nil {
		return err
	}
	env.Defer(d.server.Close)
	state := filepath.Join(env.WorkDir, "state")
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("STATE", state)
	env.Setenv("GORACE", quickExit)
	env.Setenv("TMCTL_SERVER", d.address)
	env.Setenv("TMCTL_SECRET_FILE", filepath.Join(state, "secret"))
	if err := os.Mkdir(state, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(state, "address"), []byte(d.address+"\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(state, "secret"), []byte(d.secret+"\n"), 0o600)
}

// exits runs a command and wants exactly that exit code: `exits CODE CMD ...`.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE CMD ...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
