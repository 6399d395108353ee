package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// one is the smallest configuration.
const one = "programs: {web: {cmd: x}}\n"

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                      "no configuration: neither taskmaster.yaml nor /etc/taskmaster.yaml exists; name one with -c",
		dir + "/none":           "unable to open " + dir + "/none: no such file",
		dir:                     "unable to open " + dir + ": it is a directory",
		fifo:                    "unable to open " + fifo + ": it is not a regular file",
		"/dev/null":             "unable to open /dev/null: it is not a regular file",
		dir + "/a\x1b[31m\nred": `unable to open "` + dir + `/a\x1b[31m\nred": no such file`,
	} {
		file, mistakes := Load(path, testOptions())
		if file != nil || len(mistakes) != 1 || mistakes[0].Line != 0 || mistakes.Error() != want {
			t.Errorf("Load(%q): %v, want %s", path, mistakes, want)
		}
	}
}

// TestFound shows whose file is obeyed when nobody named it.
func TestFound(t *testing.T) {
	t.Parallel()
	uid := os.Getuid()
	for _, c := range []struct {
		mode os.FileMode
		uid  int
		want string
	}{
		{0o644, uid, ""},
		{0o600, uid, ""},
		{0o664, uid, "others may write it (mode 0664): chmod go-w"},
		{0o646, uid, "others may write it (mode 0646): chmod go-w"},
		{0o644, uid + 1, "neither to you nor to root"},
	} {
		path := write(t, one)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if uid == 0 && c.uid != 0 {
			// What root owns is obeyed by all; so the file gets another owner.
			if err := os.Chown(path, 12345, -1); err != nil {
				t.Fatal(err)
			}
		}
		o := testOptions()
		o.Found, o.UID = true, c.uid
		_, mistakes := Load(path, o)
		if (len(mistakes) == 0) != (c.want == "") || !strings.Contains(mistakes.Error(), c.want) {
			t.Errorf("mode %v, uid %d: %v, want %q", c.mode, c.uid, mistakes, c.want)
		}
		o.Found = false
		if _, mistakes := Load(path, o); len(mistakes) > 0 {
			t.Errorf("mode %v, uid %d, named: %v", c.mode, c.uid, mistakes)
		}
	}
}

// TestFoundInclude shows that a file included by one that was found is held
// to the same.
func TestFoundInclude(t *testing.T) {
	t.Parallel()
	path := write(t, "taskmaster: {include: [more.yaml]}\n")
	more := filepath.Join(filepath.Dir(path), "more.yaml")
	if err := os.WriteFile(more, []byte(one), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(more, 0o666); err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	o.Found, o.UID = true, os.Getuid()
	_, mistakes := Load(path, o)
	if want := path + ":1:24: unable to open " + more + ": others may write it (mode 0666)"; !strings.HasPrefix(mistakes.Error(), want) {
		t.Errorf("%v, want %s", mistakes, want)
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := os.Stat(Places[1]); err != nil {
		if path, found := Find(); found {
			t.Errorf("Find() = %q where there is none", path)
		}
	}
	if err := os.WriteFile("taskmaster.yaml", []byte(one), 0o644); err != nil {
		t.Fatal(err)
	}
	if path, found := Find(); !found || path != "taskmaster.yaml" {
		t.Errorf("Find() = %q, %v, want taskmaster.yaml", path, found)
	}
}

// TestIncludeItself shows that a glob that matches its own file passes it by.
func TestIncludeItself(t *testing.T) {
	t.Parallel()
	path := write(t, "taskmaster: {include: ['*.yaml']}\n"+one)
	file, mistakes := Load(path, testOptions())
	if len(mistakes) > 0 || len(file.Programs) != 1 {
		t.Errorf("%v, %+v, want one program", mistakes, file)
	}
}

// TestGlobDirectory shows that the directory of the file is no pattern.
func TestGlobDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "[x]*?\\")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"main.yaml": "taskmaster: {include: ['m*e.yaml']}\n", "more.yaml": one} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, mistakes := Load(filepath.Join(dir, "main.yaml"), testOptions())
	if len(mistakes) > 0 || len(file.Programs) != 1 {
		t.Errorf("%v, %+v, want one program", mistakes, file)
	}
}
