package peek

import (
	"io"
	"os"
	"strings"
	"testing"
)

// open makes a pipe to look at and its writing end.
func open(t *testing.T) (*Pipe, *os.File, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	p, err := New(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return p, r, w
}

func TestLookTakesNothing(t *testing.T) {
	t.Parallel()
	p, r, w := open(t)
	buf := make([]byte, 64)
	if _, err := p.Look(buf); err != ErrEmpty {
		t.Errorf("an empty pipe: %v", err)
	}
	w.WriteString("one\ntwo\n")
	for range 2 {
		if n, err := p.Look(buf); string(buf[:n]) != "one\ntwo\n" || err != nil {
			t.Fatalf("saw %q, %v", buf[:n], err)
		}
	}
	if n, err := p.Look(buf[:5]); string(buf[:n]) != "one\nt" || err != nil {
		t.Errorf("saw %q, %v in five bytes", buf[:n], err)
	}
	if err := p.Take(4); err != nil || p.Held() != 4 {
		t.Errorf("took four of eight: %v, %d left", err, p.Held())
	}
	rest := make([]byte, 8)
	if n, err := r.Read(rest); string(rest[:n]) != "two\n" {
		t.Errorf("left was %q, %v", rest[:n], err)
	}
	if err := p.Take(1); err != ErrShared {
		t.Errorf("took what somebody else had read: %v", err)
	}
	w.Close()
	if _, err := p.Look(buf); err != io.EOF {
		t.Errorf("a pipe without writers: %v", err)
	}
}

// TestWiden writes pieces that do not share a page: tee(2) has room for 16 of
// them.
func TestWiden(t *testing.T) {
	t.Parallel()
	p, _, w := open(t)
	piece := strings.Repeat("x", 3000)
	for range 15 {
		w.WriteString(piece)
	}
	p.Widen(4096)
	buf := make([]byte, 64<<10)
	narrow, err := p.Look(buf)
	if err != nil || narrow >= p.Held() {
		t.Fatalf("with a copy of one page it saw %d of %d bytes, %v", narrow, p.Held(), err)
	}
	p.Widen(64 << 10)
	if all, err := p.Look(buf); all != p.Held() || err != nil {
		t.Errorf("saw %d of %d bytes, %v", all, p.Held(), err)
	}
}

func TestMoveTo(t *testing.T) {
	t.Parallel()
	p, _, w := open(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w.WriteString("one\ntwo\n")
	if n, err := p.MoveTo(int(file.Fd()), 0, 4); n != 4 || err != nil {
		t.Fatalf("moved %d bytes, %v", n, err)
	}
	if n, err := p.MoveTo(int(file.Fd()), 4, 100); n != 4 || err != nil {
		t.Fatalf("moved %d bytes, %v", n, err)
	}
	if text, err := os.ReadFile(file.Name()); string(text) != "one\ntwo\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if _, err := p.MoveTo(int(file.Fd()), 8, 1); err != ErrEmpty {
		t.Errorf("an empty pipe: %v", err)
	}
	w.Close()
	if _, err := p.MoveTo(int(file.Fd()), 8, 1); err != io.EOF {
		t.Errorf("a pipe without writers: %v", err)
	}
}
