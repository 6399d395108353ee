package main

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// An ending says what the next byte of the input belongs to.
type ending string

const (
	wholeLine ending = ""        // a new line
	dropped   ending = "dropped" // a line of which the beginning was dropped
	written   ending = "written" // the last line of the file
)

// A note keeps, over a death of the process, in which line the input stands
// while its end has not come. Written lines that are whole need none, so it
// costs nothing as long as lines come whole.
//
// It is written after the file and before the input is taken. So a file that
// ends inside a line without a note was torn by a SIGKILL in the middle of a
// write(2), and the input will deliver that line again from its beginning.
//
// How much of a line's beginning was taken can be told to the byte: it is
// spliced from the pipe to the end of the note, which moves each byte once.
type note struct {
	ending ending
	inode  uint64 // of the file that it is about
	size   int64  // of that file
	taking int    // its last bytes, which may not be taken from the input yet
	taken  int    // those of them that are; not written, see read
}

// noteWidth is the length of every note, so that one write(2) puts it in place
// of the former one whole: "written", three numbers of at most 20 digits, the
// spaces and a newline take 71 bytes.
const noteWidth = 80

// write keeps a note in place of the former one, which has to be one with
// nothing left to take. On a full disk it may fail; then a SIGKILL may split a
// line in two.
func (l *lock) write(n note) {
	text := append(make([]byte, 0, noteWidth), n.ending...)
	text = strconv.AppendUint(append(text, ' '), n.inode, 10)
	text = strconv.AppendInt(append(text, ' '), n.size, 10)
	text = strconv.AppendInt(append(text, ' '), int64(n.taking), 10)
	text = append(text, bytes.Repeat([]byte{' '}, noteWidth-1-len(text))...)
	l.blank = false
	if done, err := unix.Pwrite(l.fd, append(text, '\n'), 0); done < noteWidth || err != nil {
		l.clear()
	}
}

// done keeps a note of an input that is taken, and throws away what was.
func (l *lock) done(n note) {
	n.taking = 0
	l.write(n)
	unix.Ftruncate(l.fd, noteWidth)
}

// clear notes that a new line comes next.
func (l *lock) clear() {
	if !l.blank {
		l.blank = unix.Ftruncate(l.fd, 0) == nil
	}
}

// read returns the note about the file of that inode, the zero note for none.
func (l *lock) read(inode uint64) note {
	buf := make([]byte, noteWidth)
	got, err := unix.Pread(l.fd, buf, 0)
	if err != nil {
		return note{}
	}
	words := bytes.Fields(buf[:got])
	if len(words) != 4 {
		return note{}
	}
	n := note{ending: ending(words[0])}
	var bad [3]error
	n.inode, bad[0] = strconv.ParseUint(string(words[1]), 10, 64)
	n.size, bad[1] = strconv.ParseInt(string(words[2]), 10, 64)
	n.taking, bad[2] = strconv.Atoi(string(words[3]))
	if bad != [3]error{} || n.inode != inode {
		return note{}
	}
	var st unix.Stat_t
	if unix.Fstat(l.fd, &st) == nil && n.taking > 0 {
		n.taken = min(n.taking, int(st.Size)-noteWidth)
	}
	return n
}

// resumeLine finds out, when a file is opened, in which line the input stands.
// It makes the file end there: at the end of a line, or at the very byte of a
// line that the input goes on with.
func (l *logger) resumeLine() {
	n := l.lock.read(l.out.inode)
	if n.ending == dropped && n.size == l.out.size {
		l.skipping = true
	}
	if !l.out.midLine || l.opt.plain() {
		return // plain bytes go on wherever they stopped
	}
	if n.ending == written && l.takeBack(n) {
		return
	}
	// The input delivers the line again. If not even a newline can be written,
	// this one will have it behind what is left of the last.
	l.out.write(newline)
}

// takeBack cuts off the end of the file that was not taken from the input, and
// says whether the input goes on with the line that the file then ends in.
func (l *logger) takeBack(n note) bool {
	from := n.size - int64(n.taking-n.taken)
	tail, ok := l.out.tail(from)
	if !ok || bytes.IndexByte(tail, '\n') >= 0 {
		return false
	}
	if len(tail) == 0 {
		return true
	}
	head, err := l.in.look()
	if err != nil || !bytes.HasPrefix(head, tail) {
		return false // another pipe, which does not hold it
	}
	l.lock.done(note{ending: written, inode: n.inode, size: from})
	l.out.cut(from)
	l.out.readLast()
	return true
}
