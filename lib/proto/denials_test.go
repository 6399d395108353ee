package proto

import (
	"fmt"
	"testing"
	"time"
)

func TestOrigin(t *testing.T) {
	t.Parallel()
	for peer, want := range map[string]string{
		"127.0.0.1:4000":              "loopback",
		"127.200.3.4:1":               "loopback",
		"[::1]:4000":                  "loopback",
		"[::ffff:127.0.0.1]:4000":     "loopback",
		"192.0.2.1:4000":              "192.0.2.1/32",
		"[::ffff:192.0.2.1]:4000":     "192.0.2.1/32",
		"[2001:db8:1:2:3:4:5:6]:4000": "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::1]:80":   "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":           "fe80::/64",
		"somewhere else":              "somewhere else",
	} {
		if got := origin(peer); got != want {
			t.Errorf("%s: %q, want %q", peer, got, want)
		}
	}
}

// Each origin is told of once a second, and those of before are forgotten.
func TestDenials(t *testing.T) {
	t.Parallel()
	var r denials
	start := time.Now()
	for ms := 0; ms < 10_000; ms += 10 {
		now := start.Add(time.Duration(ms) * time.Millisecond)
		if got, want := r.first("always", now), ms%1000 == 0; got != want {
			t.Fatalf("after %d ms: told %v, want %v", ms, got, want)
		}
		if !r.first(fmt.Sprint("once", ms), now) {
			t.Fatalf("after %d ms: a new origin was not told of", ms)
		}
		if len(r.told) > 2*101 {
			t.Fatalf("after %d ms: %d origins are remembered", ms, len(r.told))
		}
	}
}
