package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A cgroup is one that a test makes for itself, cgroups(7).
type cgroup struct {
	t    *testing.T
	path string
	v1   bool
}

// newCgroup makes one with a controller, of version 1 where that is mounted,
// else of version 2. A machine with neither cannot show what the test is about.
func newCgroup(t *testing.T, controller string) *cgroup {
	t.Helper()
	name := "taskmaster-test-" + filepath.Base(t.TempDir()) + "-" + itoa(os.Getpid()) + t.Name()
	v1 := "/sys/fs/cgroup/" + controller
	c := &cgroup{t: t, path: v1 + "/" + name, v1: true}
	if _, err := os.Stat(v1 + "/cgroup.procs"); err != nil {
		c.path, c.v1 = "/sys/fs/cgroup/"+name, false
		os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+"+controller), 0)
	}
	if err := os.Mkdir(c.path, 0o755); err != nil {
		t.Fatalf("this test needs root and the cgroup controller %s: %v", controller, err)
	}
	t.Cleanup(func() {
		for _, pid := range strings.Fields(c.read("cgroup.procs")) {
			t.Logf("process %s is still in %s", pid, c.path)
		}
		if err := unix.Rmdir(c.path); err != nil {
			t.Errorf("rmdir %s: %v", c.path, err)
		}
	})
	return c
}

func (c *cgroup) procs() string { return c.path + "/cgroup.procs" }

func (c *cgroup) write(file, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.path+"/"+file, []byte(text), 0); err != nil {
		c.t.Fatal(err)
	}
}

// freeze stops all processes of a freezer, so that not even SIGKILL or SIGCONT
// gets through in version 1, or lets them go on.
func (c *cgroup) freeze(on bool) {
	c.t.Helper()
	switch {
	case c.v1 && on:
		c.write("freezer.state", "FROZEN")
	case c.v1:
		c.write("freezer.state", "THAWED")
	case on:
		c.write("cgroup.freeze", "1")
	default:
		c.write("cgroup.freeze", "0")
	}
}

func (c *cgroup) read(file string) string {
	text, _ := os.ReadFile(c.path + "/" + file)
	return strings.TrimSpace(string(text))
}
