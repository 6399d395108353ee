package event

import (
	"strconv"
	"time"

	"taskmaster/lib/line"
)

// A Builder writes one event line after the other into the same memory, for
// tmsupervise, of which thousands of copies run: each size of a block on the
// Go heap costs a copy 8 kB.
type Builder struct {
	text []byte
	room [2 * Max]byte // longer ones take memory from the heap
}

// Begin starts a line anew, with its first three words.
func (b *Builder) Begin(now time.Time, name, kind string) *Builder {
	b.text = appendHead(b.room[:0], now, name, kind)
	return b
}

// Word appends a pair.
func (b *Builder) Word(key, value string) *Builder {
	b.key(key)
	b.text = line.Append(b.text, value)
	return b
}

// Int appends a pair whose value is a number.
func (b *Builder) Int(key string, value int) *Builder {
	b.key(key)
	b.text = strconv.AppendInt(b.text, int64(value), 10)
	return b
}

// Seconds appends a pair whose value is a duration, as Seconds writes it.
func (b *Builder) Seconds(key string, value time.Duration) *Builder {
	b.key(key)
	b.text = AppendSeconds(b.text, value)
	return b
}

func (b *Builder) key(key string) {
	b.text = append(b.text, ' ')
	b.text = line.Append(b.text, key)
	b.text = append(b.text, '=')
}

// Set takes over a line as it is, without its newline.
func (b *Builder) Set(text []byte) { b.text = append(b.room[:0], text...) }

// Text is the line so far, whatever its length, without newline; it is valid
// until the next Begin.
func (b *Builder) Text() []byte { return b.text }

// Append appends the line with its newline to dst, shortened to Max bytes as
// Event.Append does it.
func (b *Builder) Append(dst []byte) []byte {
	if len(b.text) < Max {
		return append(append(dst, b.text...), '\n')
	}
	e, err := Parse(string(b.text))
	if err != nil {
		return dst // not to be reached: the Builder wrote it
	}
	return e.Append(dst)
}
