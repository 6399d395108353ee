package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"taskmaster/lib/die"
	"taskmaster/lib/safepath"
)

var historyCommand = command{
	name:  "history",
	about: "print the commands typed in the shell",
	run:   runHistory,
}

func runHistory(s *session, c *call) error {
	h, err := openHistory()
	if err != nil {
		return failed(die.Failed, "there is no history: %s", err)
	}
	text, err := h.read()
	if err != nil {
		return failed(die.Temporary, "unable to read %s: %s", h.path, die.Reason(err))
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		fmt.Fprintf(s.out, "%5d  %s\n", number, escape(string(bytes.TrimSuffix(line, []byte("\n")))))
	}
	return nil
}

// A history is the file of the lines typed, shared by all shells of a user:
// each line is appended under a lock as it is typed, so that none is lost.
type history struct{ path string }

// maxHistory is the size in bytes above which the file loses its older half.
const maxHistory = 256 << 10

// secretLike matches what a line must not hold to be kept.
var secretLike = regexp.MustCompile(`[0-9a-fA-F]{64}`)

// openHistory makes the directory of the history where it is missing.
func openHistory() (*history, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // as the XDG Base Directory Specification has it
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, errors.New("neither XDG_STATE_HOME nor HOME is set")
		}
		base = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(base, "taskmaster")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("unable to make %s: %s", dir, die.Reason(err))
	}
	return &history{filepath.Join(dir, "history")}, nil
}

// open opens the file, and nothing that somebody else put in its place: under
// sudo(8) HOME may be the directory of another user, who is not to choose what
// root writes to.
func (h *history) open(flags int) (*os.File, error) {
	fd, err := safepath.Open(h.path, flags|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), h.path)
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// read returns all lines.
func (h *history) read() ([]byte, error) {
	file, err := h.open(unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// append adds one line. A line that looks like a secret is left out. On a
// nil history it does nothing.
func (h *history) append(line string) error {
	if h == nil || secretLike.MatchString(line) {
		return nil
	}
	file, err := h.open(unix.O_RDWR | unix.O_APPEND | unix.O_CREAT)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if err := shorten(file); err != nil {
		return err
	}
	_, err = file.WriteString(line + "\n")
	return err
}

// shorten drops the older half of a file that has grown too large. It is
// rewritten in place, since another shell may wait for the lock of this very
// file.
func shorten(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() <= maxHistory {
		return err
	}
	text, err := io.ReadAll(io.NewSectionReader(file, 0, info.Size()))
	if err != nil {
		return err
	}
	_, newer, _ := bytes.Cut(text[len(text)/2:], []byte("\n"))
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err = file.Write(newer)
	return err
}
