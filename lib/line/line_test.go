package line

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEncode(t *testing.T) {
	for _, c := range []struct{ raw, word string }{
		{"", ""},
		{"web:0", "web:0"},
		{"no such file", "no%20such%20file"},
		{"a=b%c\n", "a%3Db%25c%0A"},
		{"é\x00\x7f", "%C3%A9%00%7F"},
	} {
		if got := Encode(c.raw); got != c.word {
			t.Errorf("Encode(%q) = %q, want %q", c.raw, got, c.word)
		}
		if got, err := Decode(c.word); got != c.raw || err != nil {
			t.Errorf("Decode(%q) = %q, %v, want %q", c.word, got, err, c.raw)
		}
	}
	for _, bad := range []string{"%", "%2", "a%zz", "%0g"} {
		if _, err := Decode(bad); err != ErrEncoding {
			t.Errorf("Decode(%q): error %v, want ErrEncoding", bad, err)
		}
	}
}

func FuzzWord(f *testing.F) {
	f.Add("a b=%\x00\xff")
	f.Fuzz(func(t *testing.T, raw string) {
		word := Encode(raw)
		if strings.ContainsAny(word, " =\n\x00\x7f") {
			t.Fatalf("Encode(%q) = %q holds a separator", raw, word)
		}
		if back, err := Decode(word); back != raw || err != nil {
			t.Fatalf("Decode(Encode(%q)) = %q, %v", raw, back, err)
		}
		Decode(raw)
	})
}

func TestSplitter(t *testing.T) {
	const input = "one\n\nthree\n12345678\n1234567\ntail\n"
	want := "one||three|1234567|tail"
	for size := 1; size <= len(input); size++ {
		s := Splitter{Max: 8}
		var got []string
		for at := 0; at < len(input); at += size {
			s.Push([]byte(input[at:min(at+size, len(input))]), func(l []byte) { got = append(got, string(l)) })
		}
		if s.Partial() {
			t.Errorf("pieces of %d: partial after a newline", size)
		}
		if s.Push([]byte("x"), nil); !s.Partial() {
			t.Errorf("pieces of %d: not partial within a line", size)
		}
		if strings.Join(got, "|") != want || s.TooLong != 1 {
			t.Errorf("pieces of %d: %q, %d too long, want %q and 1", size, got, s.TooLong, want)
		}
	}
}

func TestReader(t *testing.T) {
	const input = "one\n\n1234567\nlast"
	for name, src := range map[string]io.Reader{
		"whole":     strings.NewReader(input),
		"bytewise":  iotest.OneByteReader(strings.NewReader(input)),
		"data+EOF":  iotest.DataErrReader(strings.NewReader(input)),
		"halfreads": iotest.HalfReader(strings.NewReader(input)),
	} {
		r := NewReader(src, 8)
		for _, want := range []string{"one", "", "1234567"} {
			got, err := r.Next()
			if string(got) != want || err != nil {
				t.Errorf("%s: %q, %v, want %q", name, got, err, want)
			}
		}
		if _, err := r.Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: end is %v, want unexpected EOF", name, err)
		}
	}
	if _, err := NewReader(strings.NewReader("12345678\n"), 8).Next(); !errors.Is(err, ErrTooLong) {
		t.Errorf("a line of 9 bytes: %v, want ErrTooLong", err)
	}
	r := NewReader(strings.NewReader("12\n12345678\n"), 4)
	r.Next()
	r.SetMax(16)
	if got, err := r.Next(); string(got) != "12345678" || err != nil {
		t.Errorf("after SetMax: %q, %v", got, err)
	}
}
