// Package packages_test installs taskmaster by make and by dpkg into roots of
// its own, runs what is there, and takes it away again.
package packages_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

// top is the repository, of which each test has a copy: make writes into it.
const top = "../.."

// tree copies what git has of the repository, as it is in the working
// directory.
func tree(t *testing.T) string {
	t.Helper()
	tmtest.Need(t, "git", "git")
	tmtest.Need(t, "make", "make")
	dir := filepath.Join(t.TempDir(), "taskmaster")
	run(t, top, "sh", "-c", `mkdir "$0" && git ls-files -z | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C "$0"`, dir)
	run(t, dir, "sh", "-c", `git init -q && git add -A && git -c user.name=test -c user.email=test@localhost commit -q -m test`)
	return dir
}

// run runs a command in a directory and returns what it says; it must succeed.
func run(t *testing.T, dir string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// files lists all files below a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

const config = `
taskmaster: {listen: 127.0.0.1:0, state: "%(here)s/state"}
programs:
  web: {cmd: sleep 1000, numprocs: 2}
`

// live starts the tmd that is installed in bin, upgrades it while programs
// run, and stops it.
func live(t *testing.T, bin string, replace func()) {
	t.Helper()
	h := tmtest.NewHost(t, config)
	h.Launch(exec.Command(bin+"/tmd", "-c", h.Config))
	h.Await("RUNNING", "web:0", "web:1")
	before := []int{h.PID("web:0"), h.PID("web:1")}
	ctl := func(args ...string) string {
		return run(t, h.Dir, append([]string{bin + "/tmctl", "-c", h.Config}, args...)...)
	}
	pid := ctl("pid")
	replace()
	ctl("upgrade")
	tmtest.Until(t, func() bool { return strings.Count(h.Log(), "tmd started pid="+strings.TrimSpace(pid)) == 2 }, "tmd has replaced itself")
	tmtest.Until(t, func() bool { return h.Ctl("pid").Code == 0 }, "tmd answers")
	if now := []int{h.PID("web:0"), h.PID("web:1")}; now[0] != before[0] || now[1] != before[1] {
		t.Errorf("the upgrade made %v of %v", now, before)
	}
	ctl("shutdown")
	h.NothingLeft()
}

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }

func TestInstall(t *testing.T) {
	t.Parallel()
	dir, root := tree(t), t.TempDir()
	install := func(target string) { run(t, dir, "make", "-s", target, "DESTDIR="+root, "PREFIX=/opt/tm") }
	install("install")
	first := files(t, root)
	for _, want := range []string{
		"/opt/tm/bin/tmd", "/opt/tm/bin/tmsupervise", "/opt/tm/bin/tmctl", "/opt/tm/bin/tmlog", "/opt/tm/bin/tmmail",
		"/opt/tm/share/man/man8/tmd.8", "/opt/tm/share/man/man5/taskmaster.yaml.5", "/opt/tm/share/man/man1/tmctl.1",
		"/opt/tm/share/bash-completion/completions/tmctl", "/opt/tm/lib/systemd/system/taskmaster.service", "/opt/tm/lib/taskmaster/stop",
	} {
		if !strings.Contains(strings.Join(first, "\n")+"\n", want+"\n") {
			t.Errorf("%s was not installed", want)
		}
	}
	unit, err := os.ReadFile(root + "/opt/tm/lib/systemd/system/taskmaster.service")
	if err != nil || bytes.Contains(unit, []byte("@")) || !bytes.Contains(unit, []byte("ExecStart=/opt/tm/bin/tmd ")) {
		t.Errorf("the unit is %v\n%s", err, unit)
	}
	// A second install over a running system, and no file of the first left
	// half replaced.
	// Root needs no Go for what a user has built.
	live(t, root+"/opt/tm/bin", func() { run(t, dir, "make", "-s", "install", "GO=false", "DESTDIR="+root, "PREFIX=/opt/tm") })
	if second := files(t, root); strings.Join(first, "\n") != strings.Join(second, "\n") {
		t.Errorf("the second install made\n%v of\n%v", second, first)
	}
	install("uninstall")
	if left := files(t, root); len(left) > 0 {
		t.Errorf("uninstall left %v", left)
	}
}

// TestDeb builds the package of the repository and of its tarball, and
// installs, runs and removes it in a root of its own.
func TestDeb(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Fatal("dpkg needs root: run this test as root")
	}
	tmtest.Need(t, "dpkg-deb", "dpkg")
	dir := tree(t)
	run(t, dir, "make", "-s")
	tarball := t.TempDir()
	run(t, dir, "sh", "-c", `git archive HEAD | tar -xf - -C "$0" && cp -R bin "$0"`, tarball)
	build := func(dir string) []byte {
		run(t, dir, "sh", "packaging/deb.sh", "0.1") // what make deb runs
		found, _ := filepath.Glob(dir + "/dist/*.deb")
		if len(found) != 1 {
			t.Fatalf("make deb made %v", found)
		}
		text, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := build(dir)
	if !bytes.Equal(first, build(tarball)) {
		t.Error("make deb made other bytes of the same sources")
	}
	root := t.TempDir()
	run(t, root, "sh", "-c", "mkdir -p var/lib/dpkg/info var/lib/dpkg/updates var/lib/dpkg/triggers var/log && touch var/lib/dpkg/status")
	dpkg := func(args ...string) string {
		return run(t, root, append([]string{"dpkg", "--root=" + root, "--force-script-chrootless", "--force-not-root", "--log=/dev/null"}, args...)...)
	}
	package1, _ := filepath.Glob(dir + "/dist/*.deb")
	dpkg("--install", package1[0])
	if status := dpkg("--status", "taskmaster"); !strings.Contains(status, "Status: install ok installed") {
		t.Errorf("%s", status)
	}
	if out := run(t, root, root+"/usr/bin/tmd", "-t", "-c", root+"/etc/taskmaster.yaml"); out != "" {
		t.Errorf("the packaged configuration: %s", out)
	}
	live(t, root+"/usr/bin", func() { dpkg("--install", package1[0]) })
	dpkg("--purge", "taskmaster")
	for _, left := range files(t, root) {
		if strings.Contains(left, "taskmaster") || strings.HasPrefix(left, "/usr/bin/") {
			t.Errorf("purge left %s", left)
		}
	}
}

func TestDist(t *testing.T) {
	t.Parallel()
	dir := tree(t)
	build := func() []byte {
		run(t, dir, "make", "-s", "dist")
		found, _ := filepath.Glob(dir + "/dist/*.tar.gz")
		text, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !bytes.Equal(build(), build()) {
		t.Error("make dist made other bytes of the same commit")
	}
	unpacked := t.TempDir()
	run(t, unpacked, "sh", "-c", "tar -xzf "+dir+"/dist/*.tar.gz")
	found, _ := filepath.Glob(unpacked + "/taskmaster-*/Makefile")
	if len(found) != 1 {
		t.Fatalf("the tarball has no Makefile: %v", files(t, unpacked))
	}
	run(t, filepath.Dir(found[0]), "make", "-n", "install")
	again := exec.Command("sh", "packaging/dist.sh", "0.1")
	again.Dir, again.Env = filepath.Dir(found[0]), append(os.Environ(), "GIT_CEILING_DIRECTORIES="+unpacked)
	if out, err := again.CombinedOutput(); err == nil {
		t.Errorf("make dist makes a tarball of no commit: %s", out)
	}
}
