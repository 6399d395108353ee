package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What others put in the place of the history or of the configuration, in a
// directory that they may write to, is neither followed nor waited for.
func TestPlantedForTmctl(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, fifo := &history{filepath.Join(dir, "link")}, &history{filepath.Join(dir, "fifo")}
	if err := os.Symlink(precious, link.path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo.path, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*history{link, fifo} {
		if text, err := h.read(); err == nil {
			t.Errorf("%s was read: %q", h.path, text)
		}
		if err := h.append("status"); err == nil {
			t.Errorf("%s was written", h.path)
		}
	}
	if text, err := os.ReadFile(precious); string(text) != "kept\n" {
		t.Errorf("what the link leads to: %q, %v", text, err)
	}

	t.Chdir(dir)
	if err := os.Rename("fifo", defaultConfigs[0]); err != nil {
		t.Fatal(err)
	}
	if s, err := new(location).read(); err == nil {
		t.Errorf("a FIFO was taken for a configuration: %+v", s)
	}
}
