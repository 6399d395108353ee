package main

import (
	"bytes"
	"time"
)

// maxText bounds what is written at once. Stamps and prefixes make short lines
// longer, so a chunk of them may take several rounds.
const maxText = 256 << 10

// A composer makes the text of the file out of lines of the input.
type composer struct {
	stamp    stampFormat
	prefix   string
	selects  filter
	maxBytes int64 // of the file, 0 for no limit
	text     []byte
	heads    [2][]byte // stamp and prefix of lines seen before, and seen now
}

// A batch is what became of the input that was looked at.
type batch struct {
	used   int    // bytes of the input that are in text or dropped
	text   []byte // to be written; valid until the next compose
	next   next
	ending ending // where the input stands after used bytes
}

// next is what has to come before the rest of the input.
type next int

const (
	goOn    next = iota
	newFile      // the next line belongs into a new file
	more         // the next line cannot be judged yet
)

// compose turns data into text for a file of the given size. Whole lines are
// taken as far as they fit. An unfinished one is left for the next round,
// unless it stands alone: then it is taken as it is, or, where patterns have
// to see it, when complete says that no more of it can come. A line that is
// the rest of one in the file is continued without stamp and prefix. seen
// tells when each byte came.
func (c *composer) compose(data []byte, file *current, complete func() bool, seen *arrival) batch {
	c.prepare(seen)
	b := batch{}
	inside := file.midLine // the next byte continues the file's last line
	for b.used < len(data) && b.next == goOn && len(c.text) < maxText {
		if !inside && len(c.selects) == 0 {
			b.used = c.addLines(data, b.used, file.size, seen)
		}
		rest := data[b.used:]
		end := bytes.IndexByte(rest, '\n') + 1
		if len(rest) == 0 || end == 0 && b.used > 0 {
			break
		}
		line := rest
		if end > 0 {
			line = rest[:end]
		}
		switch {
		case inside:
			c.text = append(c.text, line...)
		case end == 0 && len(c.selects) > 0 && !complete():
			b.next = more
			continue
		case len(c.selects) > 0 && !c.selects.keeps(bytes.TrimSuffix(line, newline)):
			if end == 0 {
				b.ending = dropped
			}
		case !c.fits(line, end == 0, file.size, seen.era(b.used)):
			b.next = newFile
			continue
		default:
			c.text = append(c.text, c.heads[seen.era(b.used)]...)
			c.text = append(c.text, line...)
		}
		inside = false
		b.used += len(line)
	}
	b.text = c.text
	if len(b.text) > 0 && b.text[len(b.text)-1] != '\n' {
		b.ending = written
	}
	return b
}

// addLines is the short way for nearly all input: lines in whole that came at
// one time, need to pass no patterns and fit into a file of that size. It
// returns up to where they are taken.
func (c *composer) addLines(data []byte, from int, size int64, seen *arrival) (upTo int) {
	era := seen.era(from)
	if era == 0 {
		data = data[:min(len(data), seen.early)]
	}
	most := maxText
	if c.maxBytes > 0 {
		most = int(min(maxText, c.maxBytes-size))
	}
	head, text := c.heads[era], c.text
	for from < len(data) {
		n := bytes.IndexByte(data[from:], '\n') + 1
		if n == 0 || len(text)+len(head)+n > most {
			break
		}
		text = append(text, head...)
		text = append(text, data[from:from+n]...)
		from += n
	}
	c.text = text
	return from
}

var newline = []byte{'\n'}

// prepare makes the heads of the lines to come.
func (c *composer) prepare(seen *arrival) {
	if c.text == nil {
		c.text = make([]byte, 0, maxText+chunk+maxPrefix+len(rfc3339Micro))
	}
	c.text = c.text[:0]
	for era, at := range [...]time.Time{seen.first, seen.now} {
		c.heads[era] = append(c.stamp.append(c.heads[era][:0], at), c.prefix...)
	}
}

// fits says whether a line may begin in the file. The first always may; an
// unfinished one needs room to grow.
func (c *composer) fits(line []byte, unfinished bool, size int64, era int) bool {
	size += int64(len(c.text))
	if c.maxBytes == 0 || size == 0 {
		return true
	}
	size += int64(len(c.heads[era]) + len(line))
	if unfinished {
		size += growth(c.maxBytes)
	}
	return size <= c.maxBytes
}

// An arrival remembers when the input at hand was first seen. Lines that had
// to wait for room on the disk keep that time.
type arrival struct {
	first time.Time // when the first `early` bytes were seen
	early int
	now   time.Time
	shown int
}

// look notes that shown bytes are there now.
func (a *arrival) look(shown int, now time.Time) {
	if a.early == 0 {
		a.first, a.early = now, shown
	}
	a.now, a.shown = now, shown
}

// take notes that n of them are taken.
func (a *arrival) take(n int) {
	if n < a.early {
		a.early -= n
	} else {
		a.first, a.early = a.now, max(a.shown-n, 0)
	}
	a.shown = max(a.shown-n, 0)
}

// era is 0 for a byte seen at first and 1 for one seen now.
func (a *arrival) era(offset int) int {
	if offset < a.early {
		return 0
	}
	return 1
}
