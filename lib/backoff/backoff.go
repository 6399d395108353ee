// Package backoff says how long to wait before trying again.
package backoff

import "time"

// Delay is the wait before retry k, counted from 1: first*2^(k-1), at most
// max. A k below 1 counts as 1; a max below first is taken as first.
func Delay(first, max time.Duration, k int) time.Duration {
	if max < first {
		max = first
	}
	for d := first; ; d *= 2 {
		if k <= 1 {
			return d
		}
		if d > max/2 {
			return max
		}
		if d <= 0 {
			return d
		}
		k--
	}
}
