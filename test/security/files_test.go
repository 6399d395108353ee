package security_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

const nobody = 65534

// theirs makes a directory of another user's below the host's.
func theirs(t *testing.T, h *tmtest.Host, name string) string {
	t.Helper()
	dir := filepath.Join(h.Dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	give(t, dir)
	return dir
}

// give makes a file or link the other user's.
func give(t *testing.T, path string) {
	t.Helper()
	if err := os.Lchown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// ours makes a file that only root may touch.
func ours(t *testing.T, h *tmtest.Host, name string) string {
	t.Helper()
	path := h.File(name, "of root\n")
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	give(t, link)
}

func hardlink(t *testing.T, file, link string) {
	t.Helper()
	if err := os.Link(file, link); err != nil {
		t.Fatal(err)
	}
}

// What a user planted in a directory of theirs, in place of a log of their own
// program, is never written to with root's rights: not by the program, not by
// tmlog, and not for a program that runs as root there.
func TestPlantedLogs(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
defaults: {cmd: sh -c "echo written; exec sleep 1000", starttime: 0, startretries: 0}
programs:
  symlink: {user: nobody, stdout: '%(here)s/theirs/symlink'}
  dangling: {user: nobody, stdout: '%(here)s/theirs/dangling'}
  hardlink: {user: nobody, stdout: '%(here)s/theirs/hardlink'}
  fifo: {user: nobody, stdout: '%(here)s/theirs/fifo'}
  directory: {user: nobody, stdout: '%(here)s/theirs/directory'}
  above: {user: nobody, stdout: '%(here)s/theirs/above/log'}
  root-symlink: {stdout: '%(here)s/theirs/symlink'}
  root-hardlink: {stdout: '%(here)s/theirs/hardlink'}
  root-above: {stdout: '%(here)s/theirs/above/log'}
  led: {stdout: '%(here)s/led'}
`)
	dir := theirs(t, h, "theirs")
	file := ours(t, h, "shadow")
	symlink(t, file, dir+"/symlink")
	symlink(t, h.Dir+"/made", dir+"/dangling")
	hardlink(t, file, dir+"/hardlink")
	symlink(t, h.Dir, dir+"/above")
	os.Mkdir(dir+"/directory", 0o755)
	if err := os.Symlink(dir+"/symlink", h.Dir+"/led"); err != nil { // root's own, into theirs
		t.Fatal(err)
	}
	mkfifo(t, dir+"/fifo")
	h.Start()
	all := []string{"symlink", "dangling", "hardlink", "fifo", "directory", "above", "root-symlink", "root-hardlink", "root-above", "led"}
	for _, name := range all {
		h.Await("FATAL", name+":0")
		if detail := h.Status(name + ":0").Detail; !strings.HasPrefix(detail, "cannot open log "+h.Dir) {
			t.Errorf("%s: %q", name, detail)
		}
	}
	unharmed(t, h)
}

// unharmed holds that nothing came of the plants.
func unharmed(t *testing.T, h *tmtest.Host) {
	t.Helper()
	if got := h.Read("shadow"); got != "of root\n" {
		t.Errorf("the file of root's now holds %q", got)
	}
	for _, name := range []string{"made", "log", "made.1", "log.1", ".log.lock", ".made.lock", ".shadow.lock", "shadow.1"} {
		if _, err := os.Lstat(filepath.Join(h.Dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// The same for what tmlog, which is root's, opens, locks, rotates and deletes.
func TestPlantedForTmlog(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(t *testing.T, h *tmtest.Host, dir string){
		"a symbolic link": func(t *testing.T, h *tmtest.Host, dir string) { symlink(t, h.Dir+"/shadow", dir+"/log") },
		"a dangling link": func(t *testing.T, h *tmtest.Host, dir string) { symlink(t, h.Dir+"/made", dir+"/log") },
		"a hard link":     func(t *testing.T, h *tmtest.Host, dir string) { hardlink(t, h.Dir+"/shadow", dir+"/log") },
		"its lock":        func(t *testing.T, h *tmtest.Host, dir string) { hardlink(t, h.Dir+"/shadow", dir+"/.log.lock") },
		"a FIFO":          func(t *testing.T, h *tmtest.Host, dir string) { mkfifo(t, dir+"/log") },
		"the directory": func(t *testing.T, h *tmtest.Host, dir string) {
			os.Remove(dir)
			symlink(t, h.Dir, dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := tmtest.NewHost(t, "programs: {}\n")
			above := theirs(t, h, "theirs")
			dir := theirs(t, h, "theirs/logs")
			ours(t, h, "shadow")
			plant(t, h, dir)
			r := h.RunCommand(shell(`yes line | head -n 4000 | "$0" -s 4096 -n 2 "$1"`, tmtest.Bin("tmlog"), above+"/logs/log"))
			if r.Code != 100 && r.Code != 111 {
				t.Errorf("exit %d: %q", r.Code, r.Stderr)
			}
			unharmed(t, h)
		})
	}
}

// In a directory that a user may exchange, tmlog makes the user's files, by
// the user's rights.
func TestTmlogTakesTheUsersRights(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {}\n")
	dir := theirs(t, h, "theirs")
	r := h.RunCommand(shell(`yes line | head -n 4000 | "$0" -s 4096 -n 2 "$1"`, tmtest.Bin("tmlog"), dir+"/log"))
	if r.Code != 0 {
		t.Fatalf("exit %d: %q", r.Code, r.Stderr)
	}
	for _, name := range []string{"log", "log.1", "log.2"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if owner := ownerOf(info); owner != nobody {
			t.Errorf("%s belongs to %d", name, owner)
		}
	}
	// What the user may not write to, tmlog may not either.
	deeper := filepath.Join(dir, "root")
	if err := os.Mkdir(deeper, 0o755); err != nil {
		t.Fatal(err)
	}
	r = h.RunCommand(shell(`echo line | "$0" "$1"`, tmtest.Bin("tmlog"), deeper+"/log"))
	if r.Code != 111 || !strings.Contains(r.Stderr, "permission denied") {
		t.Errorf("exit %d: %q", r.Code, r.Stderr)
	}
}

// A log that the user exchanges for a link while the program runs shows
// nobody, not even who has the full secret, what the link leads to.
func TestTailFollowsNoPlantedLink(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sh -c "echo mine; exec sleep 1000", user: nobody, stdout: '%(here)s/theirs/log', starttime: 0}
`)
	dir := theirs(t, h, "theirs")
	file := ours(t, h, "shadow")
	h.Start()
	h.Await("RUNNING", "web:0")
	tmtest.Until(t, func() bool { return h.Ctl("tail", "web:0").Stdout == "mine\n" }, "the log can be read")
	log := dir + "/log"
	for name, plant := range map[string]func(){
		"symbolic": func() { symlink(t, file, log) },
		"hard":     func() { hardlink(t, file, log) },
		"FIFO":     func() { mkfifo(t, log) },
	} {
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		plant()
		for _, args := range [][]string{{"tail", "web:0"}, {"tail", "-n", "1", "web:0"}} {
			if r := h.Ctl(args...); r.Code != 1 || strings.Contains(r.Stdout+r.Stderr, "of root") {
				t.Errorf("%s, %v: exit %d %q %q", name, args, r.Code, r.Stdout, r.Stderr)
			}
		}
	}
}

// A state directory that somebody else could have prepared, or could exchange
// later, is refused, and nothing is made in it.
func TestPreparedStateDirectory(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, h *tmtest.Host) (state string){
		"a link": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.Dir+"/elsewhere", 0o700)
			symlink(t, h.Dir+"/elsewhere", h.Dir+"/state")
			return h.State
		},
		"another's": func(t *testing.T, h *tmtest.Host) string { return theirs(t, h, "state") },
		"open": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.State, 0o700)
			os.Chmod(h.State, 0o770)
			return h.State
		},
		"a file": func(t *testing.T, h *tmtest.Host) string { return h.File("state", "") },
		"in another's": func(t *testing.T, h *tmtest.Host) string {
			dir := theirs(t, h, "theirs")
			os.Mkdir(dir+"/state", 0o700)
			return dir + "/state"
		},
		"behind another's link": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.Dir+"/elsewhere", 0o700)
			symlink(t, h.Dir+"/elsewhere", h.Dir+"/link")
			return h.Dir + "/link/state"
		},
		"in an open directory": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.Dir+"/open", 0o755)
			os.Chmod(h.Dir+"/open", 0o777)
			return h.Dir + "/open/state"
		},
		"another's run": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.State, 0o700)
			theirs(t, h, "state/run")
			return h.State
		},
		"run a link": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.State, 0o700)
			os.Mkdir(h.Dir+"/elsewhere", 0o700)
			symlink(t, h.Dir+"/elsewhere", h.State+"/run")
			return h.State
		},
		"log a link": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.State, 0o700)
			os.Mkdir(h.Dir+"/elsewhere", 0o700)
			symlink(t, h.Dir+"/elsewhere", h.State+"/log")
			return h.State
		},
		"events a file": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.State, 0o700)
			h.File("state/events", "")
			return h.State
		},
		"lock a link": func(t *testing.T, h *tmtest.Host) string {
			os.Mkdir(h.State, 0o700)
			symlink(t, h.Dir+"/elsewhere", h.State+"/lock")
			return h.State
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := tmtest.NewHost(t, sleeper)
			state := prepare(t, h)
			r := h.Run("tmd", "-c", h.Config, "-d", state)
			if r.Code != 100 && r.Code != 111 || !strings.HasPrefix(r.Stderr, "tmd: fatal: unable to ") {
				t.Errorf("exit %d: %q", r.Code, r.Stderr)
			}
			if found, _ := os.ReadDir(h.Dir + "/elsewhere"); len(found) > 0 {
				t.Errorf("%v was made elsewhere", found)
			}
			if left := h.Leftovers(); len(left) > 0 {
				t.Errorf("processes are left:\n%s", tmtest.Describe(left))
			}
		})
	}
}

// What a name may be keeps it inside of its directory.
func TestNamesStayInside(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {}\n")
	for _, name := range []string{"..", ".", "../x", "a/b", "/etc/x", ".hidden", "a:0", "-x", "a b", "a%2Fb", "a\\x00b", "a\\nb", "a\\eb", "é", "", strings.Repeat("a", 49)} {
		h.Write("programs:\n  \"" + name + "\": {cmd: sleep 1}\n")
		if r := h.Run("tmd", "-t", "-c", h.Config); r.Code != 100 || strings.ContainsAny(r.Stderr, "\x00\x1b") {
			t.Errorf("%q: exit %d, %q", name, r.Code, r.Stderr)
		}
	}
}

func ownerOf(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// shell is a command line in which $0, $1 ... are args.
func shell(script string, args ...string) *exec.Cmd {
	return exec.Command("sh", append([]string{"-c", script}, args...)...)
}
