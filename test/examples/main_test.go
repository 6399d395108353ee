// Package examples_test runs everything under examples/, each in a directory
// of its own and on ports that are free.
package examples_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }

const examples = "../../examples"

// freePort is a port of loopback that nothing listens on now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

var listen = regexp.MustCompile(`listen: 127\.0\.0\.1:\d+`)

// hostOf makes a host of an example: its files, with each of the words given
// replaced by what follows it.
func hostOf(t *testing.T, path string, replace ...string) *tmtest.Host {
	t.Helper()
	// tmd listens where it finds a free port; tmtest names its state directory.
	edit := func(text string) string {
		return strings.NewReplacer(replace...).Replace(listen.ReplaceAllString(text, "listen: 127.0.0.1:0"))
	}
	dir := filepath.Join(examples, path)
	if strings.HasSuffix(path, ".yaml") {
		return tmtest.NewHost(t, edit(read(t, dir)))
	}
	h := tmtest.NewHost(t, edit(read(t, filepath.Join(dir, "taskmaster.yaml"))))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != "taskmaster.yaml" {
			h.File(f.Name(), edit(read(t, filepath.Join(dir, f.Name()))))
		}
	}
	return h
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// await waits until a file of the host matches.
func await(h *tmtest.Host, file, pattern string) {
	h.T.Helper()
	re := regexp.MustCompile(pattern)
	tmtest.Until(h.T, func() bool { return re.MatchString(h.Read(file)) }, "%s has %s", file, pattern)
}

// stop ends tmd in order, and holds that nothing is left.
func stop(h *tmtest.Host) {
	h.T.Helper()
	h.OK("shutdown")
	h.NothingLeft()
}

// instances names those of a program.
func instances(program string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s:%d", program, i)
	}
	return names
}

// TestAllLoad holds that tmd takes every configuration as it stands.
func TestAllLoad(t *testing.T) {
	t.Parallel()
	var files []string
	for _, pattern := range []string{"*.yaml", "*/taskmaster.yaml", "../packaging/taskmaster.yaml"} {
		found, err := filepath.Glob(filepath.Join(examples, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		out, err := exec.Command(tmtest.Bin("tmd"), "-t", "-c", file).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}
