package main

import (
	"testing"
	"time"
)

// TestChecksShareWakeups: many checks of one interval, begun at any time, come
// in even groups, and each comes again when its interval is over.
func TestChecksShareWakeups(t *testing.T) {
	for _, test := range []struct {
		interval time.Duration
		pulses   int
	}{{10 * time.Minute, 2400}, {10 * time.Second, 40}, {time.Second, 16}, {10 * time.Millisecond, 16}} {
		const each = 12
		apart := test.interval / time.Duration(test.pulses)
		checks := map[time.Duration]int{}
		for i := range test.pulses * each {
			now := time.Duration(i) * test.interval / time.Duration(test.pulses*each)
			at := now + untilPulse(now, test.interval, test.interval)
			checks[at%test.interval]++
			late := at + apart/3
			if next := late + untilPulse(late, test.interval, test.interval); next != at+test.interval {
				t.Errorf("of every %v, the check at %v comes again at %v", test.interval, at, next)
			}
		}
		if len(checks) != test.pulses {
			t.Errorf("checks every %v come at %d times, want %d", test.interval, len(checks), test.pulses)
		}
		for at, n := range checks {
			if n != each {
				t.Errorf("%d checks every %v come at %v, want %d", n, test.interval, at, each)
			}
		}
	}
}
