package backoff

import (
	"math"
	"testing"
	"time"
)

func TestDelay(t *testing.T) {
	for _, c := range []struct {
		first, max time.Duration
		k          int
		want       time.Duration
	}{
		{time.Second, time.Minute, 1, time.Second},
		{time.Second, time.Minute, 2, 2 * time.Second},
		{time.Second, time.Minute, 6, 32 * time.Second},
		{time.Second, time.Minute, 7, time.Minute},
		{time.Second, time.Minute, math.MaxInt, time.Minute},
		{time.Second, time.Minute, 0, time.Second},
		{2 * time.Second, time.Second, 5, 2 * time.Second},
		{0, time.Minute, math.MaxInt, 0},
		{time.Hour, math.MaxInt64, 10000, math.MaxInt64},
	} {
		if got := Delay(c.first, c.max, c.k); got != c.want {
			t.Errorf("Delay(%v, %v, %d) = %v, want %v", c.first, c.max, c.k, got, c.want)
		}
	}
}
