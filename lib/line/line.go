// Package line is the text layer that every pipe, file and connection of
// taskmaster shares: words that hold no space, and lines of bounded length.
//
// A word is percent-encoded as in RFC 3986, with one rule for all places:
// bytes up to 0x20, from 0x7f upward, '%' and '=' are written %XX in upper
// case. So no value can hold the space that separates words, the '=' that
// separates a key from its value, or a newline.
package line

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

const hex = "0123456789ABCDEF"

// ErrEncoding says that a word holds a '%' that two hex digits do not follow.
var ErrEncoding = errors.New("bad percent-encoding")

// ErrTooLong says that a line passed its limit; what follows on the same
// stream cannot be trusted.
var ErrTooLong = errors.New("line too long")

func plain(c byte) bool {
	return c > 0x20 && c < 0x7f && c != '%' && c != '='
}

// Append appends s, encoded as one word, to dst.
func Append(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// Encode returns s as one word. The empty string is the empty word.
func Encode(s string) string {
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			return string(Append(make([]byte, 0, len(s)+16), s))
		}
	}
	return s
}

// Decode is the inverse of Encode. Bytes that Encode would have escaped are
// taken as they are, so that a person may type `reason=a,b` by hand; hex
// digits may be of either case. The only error is ErrEncoding.
func Decode(word string) (string, error) {
	if strings.IndexByte(word, '%') < 0 {
		return word, nil
	}
	var out strings.Builder
	out.Grow(len(word))
	if err := DecodeTo(&out, []byte(word)); err != nil {
		return "", err
	}
	return out.String(), nil
}

// DecodeTo is Decode that writes what it decodes to out. The only error is
// ErrEncoding; out may then hold a part.
func DecodeTo(out *strings.Builder, word []byte) error {
	for i := 0; i < len(word); i++ {
		if word[i] != '%' {
			out.WriteByte(word[i])
			continue
		}
		if i+2 >= len(word) {
			return ErrEncoding
		}
		high, low := unhex(word[i+1]), unhex(word[i+2])
		if high < 0 || low < 0 {
			return ErrEncoding
		}
		out.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return nil
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// usualBlock is the length in bytes of a string that shares its size class on
// the heap with what the Go runtime itself keeps there, for each thread.
const usualBlock = 112

// InUsualBlock makes a string of text that costs a helper no size class of its
// heap which it has not in any case; each would take 8 kB in every copy.
func InUsualBlock(text []byte) string {
	var b strings.Builder
	b.Grow(max(len(text), usualBlock))
	b.Write(text)
	return b.String()
}

// Words splits a line at its spaces and decodes each word. Runs of spaces
// separate once. The only error is ErrEncoding.
func Words(text string) ([]string, error) {
	fields := strings.Split(text, " ")
	words := fields[:0] // in their place: a line may have thousands
	for _, field := range fields {
		if field == "" {
			continue
		}
		word, err := Decode(field)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
	}
	return words, nil
}

// Join encodes each word and joins them with single spaces. An empty word
// would vanish; callers give each value a key (`detail=`) or a `-`.
func Join(words ...string) string {
	var out []byte
	for i, w := range words {
		if i > 0 {
			out = append(out, ' ')
		}
		out = Append(out, w)
	}
	return string(out)
}

// A Splitter cuts a byte stream that arrives in pieces, from a pipe that must
// not block, into lines of at most Max bytes including the newline. A longer
// line is dropped whole and counted in TooLong; what follows its newline is
// read as usual. The zero Max means 4096 (PIPE_BUF, pipe(7)).
type Splitter struct {
	Max     int
	TooLong int
	held    []byte
	skip    bool
}

// Push takes in a piece and calls each for every line that it completes,
// without its newline. The slice is only valid during the call.
func (s *Splitter) Push(piece []byte, each func(line []byte)) {
	limit := s.Max
	if limit == 0 {
		limit = 4096
	}
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			s.hold(piece, limit)
			return
		}
		part := piece[:end]
		piece = piece[end+1:]
		switch {
		case s.skip:
			s.skip = false
		case len(s.held)+len(part)+1 > limit:
			s.TooLong++
		case len(s.held) > 0:
			each(append(s.held, part...))
		default:
			each(part)
		}
		s.held = s.held[:0]
	}
}

// Partial reports whether the stream so far ends within a line, so that at
// its end a newline completes that line.
func (s *Splitter) Partial() bool { return s.skip || len(s.held) > 0 }

func (s *Splitter) hold(piece []byte, limit int) {
	if s.skip {
		return
	}
	if len(s.held)+len(piece)+1 > limit {
		s.TooLong++
		s.skip = true
		s.held = s.held[:0]
		return
	}
	s.held = append(s.held, piece...)
}

// A Reader reads lines of bounded length from a blocking stream. Its buffer
// grows with the lines that come, so that a thousand idle streams cost little.
type Reader struct {
	src  io.Reader
	max  int
	buf  []byte
	from int // buf[from:to] is not handed out yet
	to   int
}

// firstBuffer is what a Reader begins with.
const firstBuffer = 1024

// NewReader returns a Reader whose lines have at most max bytes including
// the newline.
func NewReader(src io.Reader, max int) *Reader {
	return &Reader{src: src, max: max, buf: make([]byte, min(max, firstBuffer))}
}

// Next returns the next line without its newline; the slice is valid until
// the next call. The errors are ErrTooLong, io.EOF, io.ErrUnexpectedEOF for
// a last line without newline, and those of the stream.
func (r *Reader) Next() ([]byte, error) {
	seen := r.from
	for {
		if end := bytes.IndexByte(r.buf[seen:r.to], '\n'); end >= 0 {
			text := r.buf[r.from : seen+end]
			r.from = seen + end + 1
			return text, nil
		}
		seen = r.to
		if r.from > 0 {
			copy(r.buf, r.buf[r.from:r.to])
			r.to -= r.from
			seen -= r.from
			r.from = 0
		}
		if r.to == len(r.buf) && !r.grow() {
			return nil, ErrTooLong
		}
		n, err := r.src.Read(r.buf[r.to:])
		r.to += n
		if n > 0 {
			continue
		}
		if err == io.EOF && r.to > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
}

// grow doubles the buffer; it returns false when the limit is reached.
func (r *Reader) grow() bool {
	size := min(2*len(r.buf), r.max)
	if size <= len(r.buf) {
		return false
	}
	r.buf = append(make([]byte, 0, size), r.buf...)[:size]
	return true
}

// SetMax changes the longest line allowed from the next call on; what is
// already read stays.
func (r *Reader) SetMax(max int) { r.max = max }
