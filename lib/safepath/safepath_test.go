package safepath

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes directories and files below a directory that only we can write
// to; t.TempDir is in /tmp, where everybody may.
func tree(t *testing.T, shared bool) string {
	t.Helper()
	base := "/var/lib"
	if os.Geteuid() != 0 {
		base, _ = os.UserHomeDir()
	}
	if shared {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "safepath")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, sub := range []string{"a", "a/b", "else"} {
		os.Mkdir(dir+"/"+sub, 0o755)
	}
	os.WriteFile(dir+"/a/b/file", []byte("here\n"), 0o600)
	os.WriteFile(dir+"/else/file", []byte("elsewhere\n"), 0o600)
	os.Symlink("file", dir+"/a/b/link")
	os.Symlink("../else", dir+"/a/dirlink")
	os.Symlink(dir+"/a/dirlink/file", dir+"/a/twice")
	os.Symlink("loop", dir+"/a/loop")
	os.Symlink("../else/made", dir+"/a/dangling")
	os.WriteFile(dir+"/else/second", []byte("elsewhere\n"), 0o600)
	os.Link(dir+"/else/second", dir+"/a/hard")
	return dir
}

func read(path string) (string, error) {
	fd, err := Open(path, unix.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var buf [64]byte
	n, err := unix.Read(fd, buf[:])
	return string(buf[:max(n, 0)]), err
}

// Where only we can write, a path is what it is to open(2); elsewhere links
// are refused at every place.
func TestOpen(t *testing.T) {
	own, shared := tree(t, false), tree(t, true)
	for _, c := range []struct {
		path, own string
		sharedErr error
	}{
		{"/a/b/file", "here\n", nil},
		{"//a/./b///file", "here\n", nil},
		{"/a/b/../../else/file", "elsewhere\n", nil},
		{"/a/b/link", "here\n", unix.ELOOP},
		{"/a/dirlink/file", "elsewhere\n", unix.ELOOP},
		{"/a/twice", "elsewhere\n", unix.ELOOP},
		{"/a/hard", "elsewhere\n", unix.EMLINK},
	} {
		got, err := read(own + c.path)
		if err != nil || got != c.own {
			t.Errorf("%s where only we write: %q, %v", c.path, got, err)
		}
		if _, err := read(shared + c.path); err != c.sharedErr {
			t.Errorf("%s where others write: %v, want %v", c.path, err, c.sharedErr)
		}
	}
	for path, want := range map[string]error{
		"/a/loop": unix.ELOOP, "/a/none": unix.ENOENT, "/none/file": unix.ENOENT, "/a/b/file/x": unix.ENOTDIR, "": unix.ENOENT,
	} {
		where := own + path
		if path == "" {
			where = ""
		}
		if _, err := read(where); err != want {
			t.Errorf("%q: %v, want %v", path, err, want)
		}
	}
	for path, want := range map[string]error{"/a/b/link": unix.ELOOP, "/a/dirlink/file": nil, "/a/twice": unix.ELOOP} {
		fd, err := Open(own+path, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
		if unix.Close(fd); err != want {
			t.Errorf("%s with O_NOFOLLOW: %v, want %v", path, err, want)
		}
	}
	if fd, err := Open(own+"/a/", unix.O_RDONLY|unix.O_DIRECTORY, 0); err != nil {
		t.Errorf("a directory: %v", err)
	} else {
		unix.Close(fd)
	}
}

// /dev/stdout is a pipe or a deleted file as often as not.
func TestProc(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	unix.Write(pipe[1], []byte("here\n"))
	for _, path := range []string{"/proc/self/fd/", "/dev/fd/"} {
		fd, err := Open(path+strconv.Itoa(pipe[0]), unix.O_RDONLY, 0)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		unix.Close(fd)
	}
	if got, err := read("/proc/self/fd/" + strconv.Itoa(pipe[0])); got != "here\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := read("/proc/self/cwd/safepath.go"); err != nil {
		t.Errorf("a directory of /proc: %v", err)
	}
}

func TestCreate(t *testing.T) {
	own, shared := tree(t, false), tree(t, true)
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND
	fd, err := Open(own+"/a/dangling", flags, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	if _, err := os.Stat(own + "/else/made"); err != nil {
		t.Error(err)
	}
	if _, err := Open(shared+"/a/dangling", flags, 0o640); err != unix.ELOOP {
		t.Errorf("through a link where others write: %v", err)
	}
	if _, err := os.Stat(shared + "/else/made"); err == nil {
		t.Error("it was made all the same")
	}
}

func TestRelative(t *testing.T) {
	t.Chdir(tree(t, false))
	if got, err := read("a/b/link"); got != "here\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if !Trusted("a/b/none yet") {
		t.Error("not trusted")
	}
}

func TestTrusted(t *testing.T) {
	own, shared := tree(t, false), tree(t, true)
	os.Symlink(shared+"/else", own+"/out")
	os.Symlink(shared+"/else/file", own+"/a/log")
	os.Chmod(own+"/a/b", 0o775)
	for path, want := range map[string]bool{
		own + "/a/file":        true,
		own + "/a/dirlink/new": true,
		own + "/a/b/file":      false, // its group
		own + "/a/b/../file":   false,
		own + "/out/file":      false,
		own + "/a/log":         false, // the link leads out
		own + "/none/file":     false,
		shared + "/a/file":     false,
		"/":                    true,
	} {
		if got := Trusted(path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestSecure(t *testing.T) {
	own, shared := tree(t, false), tree(t, true)
	os.Mkdir(own+"/open", 0o700)
	os.Chmod(own+"/open", 0o777)
	os.Mkdir(own+"/sticky", 0o700)
	os.Chmod(own+"/sticky", 0o777|os.ModeSticky)
	os.Mkdir(own+"/private", 0o775)
	os.Chmod(own+"/private", 0o775)
	for path, want := range map[string]string{
		own + "/a/b/x":          "",
		shared + "/a/b/x":       "",
		own + "/a/dirlink/x":    "",
		own + "/private/x":      "",
		own + "/sticky/new":     "",
		own + "/open/x":         own + "/open is writable by others",
		shared + "/a/dirlink/x": "too many levels of symbolic links",
	} {
		if got := loose(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// Only root can make what belongs to another user.
func TestSecureFromOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: nothing to give away")
		return
	}
	own, shared := tree(t, false), tree(t, true)
	os.MkdirAll(shared+"/theirs/ours", 0o700)
	os.Chown(shared+"/theirs", 1, 1)
	os.Mkdir(own+"/sticky", 0o700)
	os.Chmod(own+"/sticky", 0o777|os.ModeSticky)
	os.WriteFile(own+"/sticky/theirs", nil, 0o600)
	os.Chown(own+"/sticky/theirs", 1, 1)
	os.Mkdir(own+"/group", 0o775)
	os.Chmod(own+"/group", 0o775)
	os.Chown(own+"/group", 0, 5)
	os.Symlink(shared+"/theirs", own+"/out")
	for path, want := range map[string]string{
		own + "/sticky/theirs":  own + "/sticky lets user 1 have theirs",
		own + "/group/x":        own + "/group is writable by others",
		shared + "/theirs/x":    shared + "/theirs belongs to user 1",
		shared + "/theirs/ours": shared + "/theirs belongs to user 1",
		own + "/out/x":          shared + "/theirs belongs to user 1",
	} {
		if got := loose(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		var what *LooseError
		if !errors.As(Secure(path), &what) {
			t.Errorf("%s: %T", path, Secure(path))
		}
	}
}

// A file that another user made in /tmp is read, but not written to.
func TestPrepared(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: nobody else's file to be made")
		return
	}
	dir := tree(t, true)
	os.Chmod(dir, 0o777|os.ModeSticky)
	for _, c := range []struct {
		owner int
		flags int
		want  error
	}{
		{0, unix.O_WRONLY, nil},
		{1, unix.O_RDONLY, nil},
		{1, unix.O_WRONLY, unix.EACCES},
		{1, unix.O_RDWR | unix.O_CREAT, unix.EACCES},
	} {
		path := dir + "/prepared"
		os.WriteFile(path, nil, 0o666)
		os.Chown(path, c.owner, c.owner)
		fd, err := Open(path, c.flags, 0o644)
		if err != c.want {
			t.Errorf("%+v: %v", c, err)
		}
		unix.Close(fd)
	}
}

func loose(path string) string {
	if err := Secure(path); err != nil {
		return err.Error()
	}
	return ""
}

// Somebody who exchanges a directory for a link all the time never gets the
// walk to leave it.
func TestRace(t *testing.T) {
	dir := tree(t, true)
	os.Mkdir(dir+"/a/inner", 0o755)
	os.WriteFile(dir+"/a/inner/file", []byte("here\n"), 0o600)
	os.Symlink(dir+"/else", dir+"/a/evil")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 {
			unix.Renameat2(unix.AT_FDCWD, dir+"/a/inner", unix.AT_FDCWD, dir+"/a/evil", unix.RENAME_EXCHANGE)
		}
	}()
	opened := 0
	for {
		text, err := read(filepath.Join(dir, "a/inner/file"))
		if text == "elsewhere\n" {
			t.Fatal("the walk followed the link")
		}
		if err == nil {
			opened++
		}
		select {
		case <-done:
			if opened == 0 {
				t.Error("it was never opened")
			}
			return
		default:
		}
	}
}
