package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// What was looked at stays in the pipe until it is taken.
func TestIntakeOfPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	in, err := newIntake(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("0123456789abcde\n", 3*chunk/16)
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var got strings.Builder
	for got.Len() < len(text) {
		before := in.holds()
		first, err := in.peek()
		if err != nil {
			t.Fatal(err)
		}
		again := string(first)
		if second, err := in.peek(); err != nil || string(second) != again || in.holds() != before {
			t.Fatalf("looking took something away: %d bytes, then %d, %v", len(again), len(second), err)
		}
		if err := in.take(); err != nil {
			t.Fatal(err)
		}
		if in.holds() != before-len(again) {
			t.Fatalf("took %d bytes, not %d", before-in.holds(), len(again))
		}
		got.WriteString(again)
	}
	if got.String() != text {
		t.Error("the input was changed")
	}
	if _, err := in.peek(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// Half a line behind whole ones stays in the pipe, where it outlives tmmail.
func TestNextEndsWithALine(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	in, err := newIntake(int(r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{in: in, n: &notifier{}}
	for _, step := range []struct{ write, want string }{{"one\ntwo\nth", "one\ntwo\n"}, {"ree\nf", "three\n"}, {"", "f"}} {
		if _, err := w.WriteString(step.write); err != nil {
			t.Fatal(err)
		}
		piece, _, err := l.next()
		if string(piece) != step.want || err != nil {
			t.Fatalf("%q, %v, want %q", piece, err, step.want)
		}
		if err := in.take(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIntakeOfFile(t *testing.T) {
	file, err := os.Open(write(t, "events", "one\ntwo\n", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	in, err := newIntake(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := in.peek(); string(text) != "one\ntwo\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if err := in.take(); err != nil {
		t.Error(err)
	}
	if _, err := in.peek(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestMark(t *testing.T) {
	mark := markOf([]byte("abc"))
	for input, want := range map[string]int{"abc": 3, "abcd": 3, "ab": 0, "abd": 0, "": 0} {
		if n, ok := marked([]byte(input), mark); ok != (want > 0) || ok && n != want {
			t.Errorf("%q: %d, %v, want %d", input, n, ok, want)
		}
	}
	for _, bad := range []string{"", ":", "-1:x", "0:e3", "x"} {
		if _, ok := marked([]byte("abc"), bad); ok {
			t.Errorf("mark %q fits", bad)
		}
	}
}
