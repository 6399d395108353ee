package samesignal

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestRepeats(t *testing.T) {
	t.Parallel()
	var f Filter
	begin := time.Now()
	for _, c := range []struct {
		sig   os.Signal
		after time.Duration
		want  bool
	}{
		{syscall.SIGTERM, 0, false},
		{syscall.SIGTERM, time.Millisecond, true},
		{syscall.SIGINT, time.Millisecond, false}, // another one is another act
		{syscall.SIGTERM, 2 * time.Millisecond, true},
		{syscall.SIGTERM, 4 * time.Millisecond, false}, // counted from the first, not from the repeats
		{syscall.SIGTERM, 5 * time.Millisecond, true},
		{syscall.SIGTERM, time.Second, false},
	} {
		if got := f.Repeats(c.sig, begin.Add(c.after)); got != c.want {
			t.Errorf("%v after %v: %v, want %v", c.sig, c.after, got, c.want)
		}
	}
}
