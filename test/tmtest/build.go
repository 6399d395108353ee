// Package tmtest runs the programs of taskmaster as their users do, for tests
// of the whole: it builds them once per test binary, starts tmd on directories
// of the test's own and on a port that the kernel picks, waits for conditions,
// and ends whatever is left when a test is over, failed or not.
//
// A package of tests calls Main from its TestMain. Each test then makes a Host
// (for tests in Go), or runs scripts by Scripts (testscript).
package tmtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"taskmaster/lib/cleansig"
)

// bin is where the programs were built.
var bin string

// Main builds the five programs, and the other packages that a test needs as
// programs, runs the tests and returns the exit code. Under the race detector
// tmd is built with it too.
func Main(m *testing.M, others ...string) int {
	// Whoever runs the tests may ignore signals, as nohup(1) does.
	if err := cleansig.Ensure(); err != nil {
		fmt.Fprintln(os.Stderr, "unable to reset signals:", err)
		return 1
	}
	dir, err := os.MkdirTemp("", "tmbin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	// Programs that run as another user must be able to reach it.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	builds := [][]string{append([]string{"./tmsupervise", "./tmctl", "./tmlog", "./tmmail"}, others...), {"./tmd"}}
	if raceDetector {
		builds[1] = []string{"-race", "./tmd"}
		// Else each tmd waits a second at its end for races of other threads.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	for _, what := range builds {
		if err := build(what); err != nil {
			fmt.Fprintln(os.Stderr, "unable to build the programs:", err)
			return 1
		}
	}
	adoptOrphans()
	return m.Run()
}

func build(what []string) error {
	cmd := exec.Command("go", append([]string{"build", "-o", bin + "/"}, what...)...)
	cmd.Dir = root()
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if what[0] != "-race" {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	return cmd.Run()
}

// root is the top of the repository, two above this file.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Bin is the path of one of the programs that Main built.
func Bin(name string) string { return filepath.Join(bin, name) }

// Need fails the test when a program of Debian is missing, and names the
// package that has it. A test is never skipped for want of one.
func Need(t testing.TB, program, debianPackage string) string {
	t.Helper()
	// What daemons need is often not on a user's PATH.
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return path
		}
	}
	t.Fatalf("%s is not installed: apt-get install %s", program, debianPackage)
	return ""
}
