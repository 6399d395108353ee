package statedir

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/event"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestCreate(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "state")
	defer unix.Umask(unix.Umask(0o177)) // of someone who thought of files alone
	for range 2 {
		if _, err := Create(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, made := range []string{dir, dir + "/run", dir + "/log"} {
		if info, err := os.Stat(made); err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o, want 700", made, info.Mode().Perm())
		}
	}
	for _, c := range []struct {
		dir  string
		mode os.FileMode
		want error
	}{
		{dir, 0o755, nil},
		{dir, 0o770, ErrWritable},
		{dir, 0o702, ErrWritable},
		{dir + "/run", 0o755, ErrOpen},
		{dir + "/log", 0o710, ErrOpen},
	} {
		os.Chmod(c.dir, c.mode)
		if _, err := Create(dir); err != c.want {
			t.Errorf("%s with mode %o: %v, want %v", c.dir, c.mode, err, c.want)
		}
		os.Chmod(c.dir, 0o700)
	}
	os.Symlink(dir, filepath.Join(base, "link"))
	if _, err := Create(filepath.Join(base, "link")); err != ErrNotDir {
		t.Errorf("a symbolic link: %v, want ErrNotDir", err)
	}
	if os.Geteuid() == 0 {
		os.Chmod(dir, 0o700)
		os.Chown(dir, 1, 1)
		if _, err := Create(dir); err != ErrOwner {
			t.Errorf("another's directory: %v, want ErrOwner", err)
		}
	}
}

func TestRunPaths(t *testing.T) {
	r := Dir("/s/run/x").Run("web:0")
	if r.Name() != "web:0" || r.State() != "/s/run/x" || r.Spec() != "/s/run/x/run/web:0/spec" {
		t.Errorf("%s: name %q, state %q", r, r.Name(), r.State())
	}
	long := "/" + strings.Repeat("x/", 300) + "a.log"
	one, two := Dir("/s").Log(long), Dir("/s").Log("/y"+long)
	if Dir("/s").Log("/a/b") == Dir("/s").Log("/a%2Fb") {
		t.Error("two logs have one FIFO")
	}
	if len(filepath.Base(one)) > 255 || one == two || !strings.HasSuffix(one, "a.log") {
		t.Errorf("%q and %q", one, two)
	}
}

func TestRemove(t *testing.T) {
	dir, err := Create(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	r := dir.Run("web:0")
	if err := r.Create(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{r.Spec(), r.Status(), r.Status() + ".new", r.Lock(), string(r) + "/later"} {
		if err := Replace(file, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := r.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(string(r)); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	elsewhere := t.TempDir()
	os.WriteFile(elsewhere+"/precious", nil, 0o600)
	os.Symlink(elsewhere, string(r))
	if err := r.Remove(); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, err := os.Lstat(elsewhere + "/precious"); err != nil {
		t.Error(err)
	}
}

func TestStatus(t *testing.T) {
	want := Status{
		Event: event.New(time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), "web:0", event.Running, "pid", "12"),
		State: "RUNNING", Wish: WishUp, PID: 13, Start: 99, Since: 98, Boot: "b", Began: 5, Due: 7,
		Try: 2, Restarts: 3, Seq: 4, Then: 3, Ready: true, Detail: "a = b\n",
		Launched: 1 << 63, Keys: 1,
	}
	got, err := ParseStatus(want.Line())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := ParseStatus([]byte("2026-11-22T14:03:08.125Z web:0 running pid=4312\n")); err == nil {
		t.Error("an event line alone was taken for a status")
	}
	for _, torn := range []string{" x", " detail=%4", " =1", " v=2"} {
		if _, err := ParseStatus(append(bytes.TrimSuffix(want.Line(), []byte("\n")), torn...)); err == nil {
			t.Errorf("a status that ends in %q was taken", torn)
		}
	}
}

// tmd holds a status for each of thousands of instances.
func TestStatusTakesLittleMemory(t *testing.T) {
	s := Status{
		Event: event.New(time.Now(), "web:0", event.Running, "pid", "12"), State: "RUNNING", Wish: WishNone, PID: 12,
		Boot: "5e8b8e9c-7ed3-4b3c-9e2a-4d0a2a1c1f53",
	}
	text := s.Line()
	const blocks = 3 // the event line, the list of its pairs, the boot id
	if n := testing.AllocsPerRun(100, func() { ParseStatus(text) }); n > blocks {
		t.Errorf("%v blocks of memory, want %d", n, blocks)
	}
}

func FuzzStatus(f *testing.F) {
	s := Status{Event: event.New(time.Now(), "web:0", event.Running), State: "RUNNING"}
	f.Add(s.Line())
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := ParseStatus(text); err == nil {
			if _, err := ParseStatus(s.Line()); err != nil {
				t.Fatalf("%q: %v", s.Line(), err)
			}
		}
	})
}

func TestReplace(t *testing.T) {
	for name, write := range map[string]func(string, []byte) error{"Replace": Replace, "Publish": Publish} {
		path := filepath.Join(t.TempDir(), "status")
		for _, content := range []string{"some content\n", "the longest content\n", "short\n", "middling\n"} {
			if err := write(path, []byte(content)); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(path); string(got) != content {
				t.Errorf("%s: got %q, want %q", name, got, content)
			}
		}
	}
	if err := Replace("/nonexistent/status", nil); err != unix.ENOENT {
		t.Errorf("no directory: %v", err)
	}
}

// The lock of a holder that died stays with what it forked and did not exec.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if pid, err := Holder(path); pid != 0 || err != nil {
		t.Errorf("no file: %d, %v", pid, err)
	}
	fd, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := Holder(path); pid != os.Getpid() || err != nil {
		t.Errorf("held by us: %d, %v", pid, err)
	}
	if _, err := TryLock(path); err != unix.EWOULDBLOCK {
		t.Errorf("second lock: %v", err)
	}
	keeper := exec.Command("cat")
	in, _ := keeper.StdinPipe()
	keeper.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "lock")}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	keeper.ExtraFiles[0].Close()
	os.WriteFile(path, []byte("99999999\n"), 0o600)
	if pid, err := Holder(path); pid != -1 || err != nil {
		t.Errorf("held by the fork of a dead one: %d, %v", pid, err)
	}
	taken := make(chan error)
	go func() {
		fd, err := WaitLock(path)
		unix.Close(fd)
		taken <- err
	}()
	in.Close()
	keeper.Wait()
	if err := <-taken; err != nil {
		t.Errorf("after its end: %v", err)
	}
	if pid, _ := Holder(path); pid != 0 {
		t.Errorf("free again: %d", pid)
	}
}
