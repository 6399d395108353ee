package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"taskmaster/lib/line"
	"taskmaster/lib/proto"
	"taskmaster/lib/safepath"

	"golang.org/x/sys/unix"
)

// mostOfTail is how far back, in bytes, the beginning of the last lines is
// looked for.
const mostOfTail = 8 << 20

// A tailer reads a file as it grows. It follows the name over rotation: what
// is left of the old file comes first.
type tailer struct {
	r    *proto.Request
	path string
	file *os.File
	at   int64
	part []byte // a line whose end is not there yet
}

// longestPart bounds what is kept of an unfinished line; a longer one is sent
// in pieces.
const longestPart = 64 << 10

// open opens without waiting for a FIFO that the path may name, and nothing
// that the program's user could have put there to be shown a file of ours.
func (t *tailer) open() error {
	fd, err := safepath.Open(t.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), t.path)
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		file.Close()
		return err
	}
	t.close()
	t.file, t.at = file, 0
	return nil
}

func (t *tailer) close() {
	if t.file != nil {
		t.file.Close()
	}
}

// last finds the beginning of the last lines and sends them.
func (t *tailer) last(lines int) error {
	if t.file == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	t.at = end
	floor := max(0, end-mostOfTail)
	buf := make([]byte, 1<<16)
	found := 0
	for t.at > floor && lines > 0 {
		n := int(min(int64(len(buf)), t.at-floor))
		if _, err := t.file.ReadAt(buf[:n], t.at-int64(n)); err != nil && err != io.EOF {
			return err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] != '\n' || t.at-int64(n)+int64(i) == end-1 {
				continue
			}
			if found++; found == lines {
				t.at += int64(i+1) - int64(n)
				return t.forward()
			}
		}
		t.at -= int64(n)
	}
	return t.forward()
}

// forward sends what the file holds beyond what was sent.
func (t *tailer) forward() error {
	buf := make([]byte, 1<<16)
	for {
		n, err := t.file.ReadAt(buf, t.at)
		t.at += int64(n)
		t.push(buf[:n])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tailer) push(piece []byte) {
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			t.part = append(t.part, piece...)
			if len(t.part) > longestPart {
				t.flush()
			}
			return
		}
		t.send(append(t.part, piece[:end]...))
		t.part = t.part[:0]
		piece = piece[end+1:]
	}
}

func (t *tailer) flush() {
	if len(t.part) > 0 {
		t.send(t.part)
		t.part = t.part[:0]
	}
}

func (t *tailer) send(text []byte) { t.r.Answer(line.Encode(string(text))) }

// follow waits with inotify(7) for the file to grow or its name to change,
// until the client has had enough.
func (t *tailer) follow() error {
	watch, err := newFileWatch(t.path)
	if err != nil {
		return err
	}
	go func() {
		<-t.r.Done()
		watch.Close()
	}()
	for {
		if err := t.catchUp(); err != nil {
			return err
		}
		if !watch.next() {
			return nil
		}
	}
}

// catchUp sends what is new. A file cut short, by copytruncate, is read from
// its beginning; a new file under the name after the rest of the old one.
func (t *tailer) catchUp() error {
	if t.file != nil {
		info, err := t.file.Stat()
		if err != nil {
			return err
		}
		if info.Size() < t.at {
			t.at = 0
		}
		if err := t.forward(); err != nil {
			return err
		}
		now, err := os.Stat(t.path)
		if err != nil || os.SameFile(info, now) {
			return nil
		}
	}
	if err := t.open(); err != nil {
		return nil // it will be there again: the watch tells
	}
	return t.forward()
}

// A fileWatch tells that a file may have grown, been replaced or come to be.
type fileWatch struct{ *os.File }

func newFileWatch(path string) (*fileWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	const what = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), what); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &fileWatch{os.NewFile(uintptr(fd), "inotify")}, nil
}

// next waits for a change in the file's directory; false when it was closed.
func (w *fileWatch) next() bool {
	var buf [4096]byte
	n, err := w.Read(buf[:])
	return err == nil && n > 0
}
