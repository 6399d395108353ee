package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/safepath"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// How much of an output a mail shows.
const (
	tailLines = 20
	tailBytes = 8 << 10
)

// An output is the end of what an instance printed on one stream.
type output struct {
	Stream string   // "stderr", "stdout", or "output" for both joined
	File   string   // "" when it goes to no file
	Lines  []string // printable, without their ends
	Cut    bool     // there was more
	Note   string   // why there are no lines, in words
}

func readOutput(state, stream string, o spec.Output) output {
	out := output{Stream: stream}
	switch o.Kind {
	case spec.Discard:
		out.Note = "discarded, by its configuration"
		return out
	case spec.InheritFile:
		out.Note = "goes where that of tmd goes"
		return out
	case spec.Log:
		o.Path = loggedFile(state, o.Path)
	}
	out.File = printable(o.Path)
	text, cut, err := readEnd(o.Path, tailBytes)
	if err == nil && o.Kind == spec.Log && bytes.Count(text, []byte("\n")) < tailLines && !cut {
		text, cut = withRotated(o.Path, text)
	}
	switch {
	case err != nil:
		out.Note = "cannot be read: " + printable(die.Reason(err))
	case len(text) == 0:
		out.Note = "nothing"
	default:
		out.Lines, out.Cut = lastLines(text, cut)
	}
	return out
}

// loggedFile is the file that a tmlog writes: the spec may name the FIFO
// before it, whose name tells the file (statedir, Log).
func loggedFile(state, path string) string {
	name, inside := strings.CutPrefix(path, statedir.Dir(state).LogDir()+"/")
	if !inside || strings.Contains(name, "/") {
		return path
	}
	return strings.NewReplacer("%2F", "/", "%25", "%").Replace(name)
}

// withRotated puts the end of the file that was rotated away last in front of
// a short text, since a program often dies just after a rotation.
func withRotated(path string, text []byte) ([]byte, bool) {
	before, cut, err := readEnd(path+".1", tailBytes-len(text))
	if err != nil {
		return text, false
	}
	return append(before, text...), cut
}

var (
	errNotRegular = errors.New("not a regular file")
	errSymlink    = errors.New("a symbolic link, which is not followed")
	errHardLink   = errors.New("a file with a second name, which may be anybody's")
)

// readEnd returns the last bytes of a regular file and whether there was
// more. It never blocks, whatever was put in the file's place, and follows no
// link in a directory of others: the program's user could point one at a file
// that only we may read.
func readEnd(path string, most int) ([]byte, bool, error) {
	fd, err := safepath.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	switch err {
	case nil:
	case unix.ELOOP:
		return nil, false, errSymlink
	case unix.EMLINK:
		return nil, false, errHardLink
	default:
		return nil, false, err
	}
	in := os.NewFile(uintptr(fd), path)
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, false, err
	}
	if !info.Mode().IsRegular() {
		return nil, false, errNotRegular
	}
	from := max(0, info.Size()-int64(most))
	text, err := io.ReadAll(io.NewSectionReader(in, from, int64(most)))
	return text, from > 0, err
}

// lastLines splits text into its last lines, each made printable. A line cut
// at its beginning is marked with dots.
func lastLines(text []byte, cut bool) ([]string, bool) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	rows := strings.Split(string(text), "\n")
	if cut && len(rows) <= tailLines {
		rows[0] = "..." + rows[0]
	}
	if surplus := len(rows) - tailLines; surplus > 0 {
		rows, cut = rows[surplus:], true
	}
	for i, row := range rows {
		rows[i] = printable(strings.TrimSuffix(row, "\r"))
	}
	return rows, cut
}

// title names an output in a sentence.
func (o *output) title() string {
	name := map[string]string{"stderr": "standard error", "stdout": "standard output", "output": "output"}[o.Stream]
	if o.File != "" {
		name += " (" + o.File + ")"
	}
	if o.Note != "" {
		return name + ": " + o.Note
	}
	if o.Cut {
		return fmt.Sprintf("the last %s of %s, of more", plural(len(o.Lines), "line"), name)
	}
	return "all of " + name
}
