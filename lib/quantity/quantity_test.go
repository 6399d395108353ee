package quantity

import (
	"testing"
	"time"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "4096": 4096, "64KB": 64 << 10, "64k": 64 << 10, "10MB": 10 << 20,
		"10mb": 10 << 20, "1G": 1 << 30, "1TB": 1 << 40, "9223372036854775807": 1<<63 - 1,
		"8388607TB": 8388607 << 40,
	} {
		if got, err := Size(text); err != nil || got != want {
			t.Errorf("Size(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "B", "KB", "10B", "10KKB", "10 KB", "-1", "+1", "1.5MB", "0x10", "1_000",
		"9223372036854775808", "8388608TB", "10MBB", "ten",
	} {
		if got, err := Size(text); err == nil {
			t.Errorf("Size(%q) = %d, want an error", text, got)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "5": 5 * time.Second, "0.25": 250 * time.Millisecond, "250ms": 250 * time.Millisecond,
		"1m30s": 90 * time.Second, "24h": 24 * time.Hour,
	} {
		if got, err := Duration(text); err != nil || got != want {
			t.Errorf("Duration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "-1", "-1s", "1d", "five", "1e3", "87601h", "1..2", "5 s"} {
		if got, err := Duration(text); err == nil {
			t.Errorf("Duration(%q) = %v, want an error", text, got)
		}
	}
}
