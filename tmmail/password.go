package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"

	"taskmaster/lib/die"
)

// readPassword returns the first line of a file that only its owner, who is
// root or the caller, can read. The password is read anew for each session
// and never kept, so a changed file counts at once.
func readPassword(file string) (string, error) {
	in, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", fmt.Errorf("unable to open %s: %s", file, die.Reason(err))
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s: not a regular file", file)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s: accessible by others, make it mode 0600", file)
	case owner != 0 && int(owner) != os.Geteuid():
		return "", fmt.Errorf("%s: owned by someone else", file)
	}
	text, err := io.ReadAll(io.LimitReader(in, 4096))
	if err != nil {
		return "", err
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSuffix(first, []byte("\r"))
	if len(first) == 0 {
		return "", fmt.Errorf("%s: empty", file)
	}
	return string(first), nil
}
