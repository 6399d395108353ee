package event

import (
	"strings"
	"testing"
	"time"
)

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{
		"2026-11-22T14:03:07.123Z web:0 starting pid=4312 try=1 cause=boot",
		"2026-11-22T15:12:00.000Z web:1 fatal try=4 reason=cannot%20execute%20/usr/bin/web:%20no%20such%20file",
		"2026-11-22T15:12:00.000Z tmd stopping by=TERM",
		"2026-11-22T15:12:00.000Z web:1 status detail=",
	} {
		e, err := Parse(text + "\n")
		if err != nil {
			t.Fatalf("Parse(%q): %v", text, err)
		}
		if got := e.String(); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	for _, bad := range []string{"", "x y z", "2026-11-22T14:03:07Z", "2026-11-22T14:03:07.123Z web:0",
		"2026-11-22T14:03:07.123Z web:0 starting pid", "2026-11-22T14:03:07.123Z web:0 starting a=%2",
		"2026-11-22T14:03:07.123Z web:0  starting"} {
		if _, err := Parse(bad); err != ErrSyntax {
			t.Errorf("Parse(%q): %v, want ErrSyntax", bad, err)
		}
	}
}

func TestShortening(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)
	long := New(now, "web:0", Fatal, "try", "4", "reason", "cannot execute /"+strings.Repeat("d d/", 200)+"web: no such file")
	got := string(long.Append(nil))
	if len(got) > Max || strings.Contains(got, "cut=1") {
		t.Errorf("a long path: %d bytes: %s", len(got), got)
	}
	e, err := Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	if r := e.Get("reason"); !strings.HasPrefix(r, "cannot execute /d d") || !strings.HasSuffix(r, "web: no such file") || !strings.Contains(r, "...") {
		t.Errorf("reason %q lost its head, its cause or its mark", r)
	}
	for n := 380; n < 700; n++ {
		e := New(now, "tmd", Command, "by", "127.0.0.1:4000", "line", strings.Repeat("%", n/3)+strings.Repeat("a", n%3))
		got := string(e.Append(nil))
		back, err := Parse(got)
		if len(got) > Max || err != nil {
			t.Fatalf("n=%d: %d bytes, %v: %s", n, len(got), err, got)
		}
		if cut := back.Get("cut") == "1"; cut != (len(e.String())+1 > Max) {
			t.Fatalf("n=%d: cut is %v: %s", n, cut, got)
		}
	}
}

// However long its words are, a line of ours can be read.
func TestShortenedAnywhere(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)
	for n := range 600 {
		for _, e := range []Event{
			New(now, strings.Repeat("\n", n), Starting, "pid", "1"),
			New(now, "a:0", strings.Repeat("x", n+1), "pid", "1"),
			New(now, "tmd", LogFull, "file", strings.Repeat("/", n), "policy", "block", "dropped", "1"),
			New(now, "tmd", Changed, strings.Repeat("k", n+1), "", "b", ""),
		} {
			if e.Name == "" {
				continue
			}
			got := string(e.Append(nil))
			if back, err := Parse(got); err != nil || len(got) > Max || len(back.Pairs) == 0 {
				t.Fatalf("n=%d: %v, %d bytes: %s", n, err, len(got), got)
			}
		}
	}
}

// What a Builder writes is what an Event writes, short or shortened, and one
// line leaves nothing in the next.
func TestBuilder(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 3, 7, 0, time.UTC)
	var b Builder
	for _, reason := range []string{"", "no such file", strings.Repeat("a path/", 300) + ": no such file"} {
		want := New(now, "web:0", Backoff, "try", "2", "wait", "0.25", "reason", reason)
		b.Begin(now, "web:0", Backoff).Int("try", 2).Seconds("wait", 250*time.Millisecond).Word("reason", reason)
		if got := string(b.Text()); got != want.String() {
			t.Errorf("got  %s\nwant %s", got, want.String())
		}
		if got := string(b.Append(nil)); got != string(want.Append(nil)) {
			t.Errorf("got  %swant %s", got, want.Append(nil))
		}
	}
	b.Set([]byte("2026-11-22T14:03:07.000Z web:0 running pid=1"))
	if got := string(b.Append(nil)); got != "2026-11-22T14:03:07.000Z web:0 running pid=1\n" {
		t.Errorf("Set: %q", got)
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 2 * time.Second: "2", 250 * time.Millisecond: "0.25", 4055877 * time.Millisecond: "4055.877", 100 * time.Second: "100",
	} {
		if got := Seconds(d); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", d, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2026-11-22T14:03:07.123Z web:0 starting pid=4312 try=1 cause=boot")
	f.Add("2026-11-22T14:03:07.123Z web:0 fatal reason=%20%00%zz")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		out := e.Append(nil)
		if len(out) > Max {
			t.Fatalf("%d bytes of %q", len(out), text)
		}
		if _, err := Parse(string(out)); err != nil {
			t.Fatalf("own line %q does not parse", out)
		}
	})
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{Heeded: true}
	for _, kind := range Kinds() {
		if seen[kind] {
			t.Errorf("%s is there twice, or not for clients", kind)
		}
		seen[kind] = true
	}
}
