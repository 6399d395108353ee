package statedir

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A reader never sees a file half rewritten: Publish writes over the file of
// the time before last, which a slow reader may still hold open.
func TestPublishIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "status")
	contents := [][]byte{bytes.Repeat([]byte("a"), 3000), bytes.Repeat([]byte("b"), 40), bytes.Repeat([]byte("c"), 700)}
	if err := Publish(path, contents[0]); err != nil {
		t.Fatal(err)
	}
	over := make(chan error)
	go func() {
		var err error
		for i := 0; i < 5000 && err == nil; i++ {
			err = Publish(path, contents[i%len(contents)])
		}
		over <- err
	}()
	for {
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		text, err := ReadPublished(path, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 || len(text) != bytes.Count(text, text[:1]) || !bytes.Equal(text, contents[text[0]-'a']) {
			t.Fatalf("read %d bytes: %.20q ... %.20q", len(text), text, text[max(0, len(text)-20):])
		}
	}
}

// What somebody put in the place of a file neither holds up a reader nor keeps
// the writer from writing.
func TestNoFileInItsPlace(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(string) error{
		"FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"link":      func(path string) error { return os.Symlink("/dev/null", path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "status")
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			for _, read := range []func() ([]byte, error){
				func() ([]byte, error) { return ReadPublished(path, 100) },
				func() ([]byte, error) { return Paths.Read(path, make([]byte, 10), 100) },
			} {
				if text, err := read(); len(text) > 0 {
					t.Errorf("read %q, %v", text, err)
				}
			}
			for _, content := range []string{"one", "two", "three"} {
				if err := Publish(path, []byte(content)); err != nil {
					t.Fatalf("%s: %v", content, err)
				}
				if text, err := ReadPublished(path, 100); string(text) != content || err != nil {
					t.Errorf("read %q, %v after %s", text, err, content)
				}
			}
		})
	}
}
