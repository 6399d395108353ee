package config

import (
	"testing"
	"time"

	"taskmaster/lib/quantity"
)

// TestFormat shows that the canonical text of a duration or size is read back
// as the same.
func TestFormat(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", time.Hour: "1h", 24 * time.Hour: "24h",
		time.Hour + time.Second: "1h0m1s", time.Hour + time.Minute: "1h1m", 250 * time.Millisecond: "250ms", 10*time.Hour + 10*time.Minute: "10h10m",
	} {
		text := formatDuration(d)
		if back, err := quantity.Duration(text); text != want || back != d || err != nil {
			t.Errorf("%v is written %q, want %q, and read back as %v, %v", d, text, want, back, err)
		}
	}
	for n, want := range map[int64]string{
		0: "0", 1: "1", 1023: "1023", 1024: "1KB", 1025: "1025", 10 << 20: "10MB", 1536 << 10: "1536KB", 1 << 30: "1GB", 3 << 40: "3TB",
	} {
		text := formatSize(n)
		if back, err := quantity.Size(text); text != want || back != n || err != nil {
			t.Errorf("%d is written %q, want %q, and read back as %d, %v", n, text, want, back, err)
		}
	}
}
