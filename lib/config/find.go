package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"taskmaster/lib/die"
)

// Places are where a configuration is looked for when none is named, in this
// order.
var Places = []string{"taskmaster.yaml", "/etc/taskmaster.yaml"}

// Find returns the first of Places that exists, or that cannot be told not
// to; Load will say why. Load must then be told Options.Found.
func Find() (path string, found bool) {
	for _, path := range Places {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, true
		}
	}
	return "", false
}

// open reads the file at path as YAML. What keeps it from that is reported
// at by, the item of `include:` that asks for it, if there is one.
func (l *loader) open(path string, by value) (value, bool) {
	refuse := func(text string) (value, bool) {
		l.unread = true
		if by.node == nil {
			l.mistake(Mistake{Text: text})
		} else {
			l.mistakeAt(by, by.node, text)
		}
		return value{}, false
	}
	if path == "" {
		return refuse(fmt.Sprintf("no configuration: neither %s nor %s exists; name one with -c", Places[0], Places[1]))
	}
	l.opened[l.absolute(path)] = true
	text, err := l.readFile(path)
	if err != nil {
		return refuse("unable to open " + printable(path) + ": " + die.Reason(err))
	}
	src := &source{path: path, here: filepath.Dir(l.absolute(path))}
	l.order[path] = len(l.order)
	root := l.parse(src, text)
	if root == nil {
		l.unread = true
		return value{}, false
	}
	return value{src: src}.child(root, ""), true
}

// readFile reads a regular file of at most maxSize. It opens without
// waiting, since a FIFO in its place must not hold up a reload, and asks the
// open file, not the path, whom it belongs to.
func (l *loader) readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	if l.opts.Found {
		if err := l.trusted(info); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = errors.New("it is larger than 1 MiB")
	}
	return text, err
}

// trusted returns why a file that nobody named must not be obeyed: who can
// write it runs programs as the caller.
func (l *loader) trusted(info fs.FileInfo) error {
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != 0 && owner != l.opts.UID {
		return fmt.Errorf("it belongs to user %d, neither to you nor to root: name it with -c if you trust it", owner)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write it (mode %04o): chmod go-w, or name it with -c if you trust it", info.Mode().Perm())
	}
	return nil
}
