package main

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A command that did well is believed only once its output is on the disk:
// the file that it came from goes then.
func TestVerdict(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := &compressor{command: "gzip"}
	j := &job{input: file, output: file}
	if err := c.verdict(j, 0); err != nil {
		t.Error(err)
	}
	j.lost = unix.EIO
	if err := c.verdict(j, 0); err != unix.EIO {
		t.Errorf("output that is lost: %v", err)
	}
	if err := c.verdict(j, 1<<8); err == nil || err.Error() != "gzip: exit 1" {
		t.Errorf("exit 1: %v", err)
	}
}
