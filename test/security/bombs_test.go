package security_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"taskmaster/test/tmtest"
)

// bombs are configurations of at most 1 MiB, but for the one that is larger,
// that would take long or much memory if they were obeyed.
func bombs() map[string]string {
	const room = 1<<20 - 200
	laughs := "a0: &a0 [lol]\n"
	for i := 1; i < 40; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	merges := "programs:\n  p0: &p0 {cmd: x, env: {A: b}}\n"
	for i := 1; i < 40; i++ {
		merges += fmt.Sprintf("  p%d: &p%d {<<: [*p%d, *p%d]}\n", i, i, i-1, i-1)
	}
	return map[string]string{
		"laughs":         laughs,
		"merges":         merges,
		"self":           "programs: &p {web: *p}\n",
		"flow":           "programs: " + strings.Repeat("[", room),
		"maps":           "programs: " + strings.Repeat("{a: ", room/4),
		"block":          strings.Repeat("- ", room/2),
		"numprocs":       "programs: {" + strings.Repeat("P", 40) + ": {cmd: x, numprocs: 999999999}}\n",
		"expansions":     "programs: {a: {cmd: 'x " + strings.Repeat("%(process_num)0999d", 50_000) + "', numprocs: 10000}}\n",
		"wide":           "programs: {a: {cmd: 'x', description: '%(process_num)0999999999d'}}\n",
		"many programs":  "programs:\n" + strings.Repeat("  p: {cmd: x, numprocs: 10000}\n", room/32),
		"mistakes":       "programs:\n" + strings.Repeat("  a b: {cmd}\n", room/14),
		"NUL":            strings.Repeat("\x00", room),
		"no UTF-8":       strings.Repeat("\xff\xfe", room/2),
		"one line":       "programs: {a: {cmd: '" + strings.Repeat("x ", room/2) + "'}}\n",
		"too large":      strings.Repeat("# comment\n", 200_000),
		"regexp":         "programs: {a: {cmd: x, stdout: {file: /tmp/x, select: ['+" + strings.Repeat("(a*)*", 1000) + "{1000}{1000}']}}}\n",
		"documents":      strings.Repeat("---\na: b\n", room/9),
		"anchors":        strings.Repeat("- &a b\n", room/7),
		"dates and tags": "programs: {a: {cmd: !!binary \"" + strings.Repeat("A", room/2) + "\"}}\n",
	}
}

// tmd -t is done with each within a second of computing and 100 MB, whatever
// it says of it, and tmctl -c with a second as well.
func TestConfigurationBombs(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	// Without the race detector, whose cost is not ours, and as make builds
	// them, so that they are in the cache.
	build := exec.Command("go", "build", "-trimpath", "-o", bin, "taskmaster/tmd", "taskmaster/test/security/costs")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h := tmtest.NewHost(t, "programs: {}\n")
	for name, text := range bombs() {
		path := h.File("bomb.yaml", text)
		for _, argv := range [][]string{{filepath.Join(bin, "tmd"), "-t", "-c", path}, {tmtest.Bin("tmctl"), "-c", path, "-s", "127.0.0.1:9", "status"}} {
			out, code, spent, kilobytes := runWithCosts(t, bin, argv)
			t.Logf("%s: %s exit %d, %v, %d kB", name, filepath.Base(argv[0]), code, spent, kilobytes)
			if spent > time.Second || kilobytes > 100<<10 {
				t.Errorf("%s: %s took %v and %d kB", name, filepath.Base(argv[0]), spent, kilobytes)
			}
			if code < 0 || code == 101 || code == 2 || code == 0 && name != "one line" {
				t.Errorf("%s: %s: exit %d: %.300q", name, filepath.Base(argv[0]), code, out)
			}
			if len(out) > 64<<10 {
				t.Errorf("%s: %s says %d bytes", name, filepath.Base(argv[0]), len(out))
			}
		}
	}
}

// runWithCosts runs a command to its end and returns what it printed, its exit
// code, its processor time and its largest resident size.
func runWithCosts(t *testing.T, bin string, argv []string) (out []byte, code int, spent time.Duration, kilobytes int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command(filepath.Join(bin, "costs"), argv...)
	cmd.ExtraFiles = []*os.File{w}
	out, _ = cmd.CombinedOutput()
	w.Close()
	if _, err := fmt.Fscan(r, (*int64)(&spent), &kilobytes); err != nil {
		t.Fatalf("costs of %v: %v: %.300q", argv, err, out)
	}
	return out, cmd.ProcessState.ExitCode(), spent, kilobytes
}

// The same file at a reload changes nothing and costs no more.
func TestBombAtReload(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	h.Await("RUNNING", "web:0")
	pid := h.PID("web:0")
	for name, text := range bombs() {
		if name == "one line" {
			continue // it is no mistake
		}
		if err := os.WriteFile(h.Config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := h.Ctl("reload"); r.Code != 1 || hasControls(r.Stderr) {
			t.Errorf("%s: exit %d: %.300q", name, r.Code, r.Stderr)
		}
	}
	h.AwaitLog("reloadfail")
	if now := h.Status("web:0"); now.PID != pid {
		t.Errorf("something was changed: %s", now.Line())
	}
}
