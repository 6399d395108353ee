package config

import (
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/quantity"
)

// duration reads a number of seconds, or a Go duration like 1m30s or 250ms,
// from least to ten years.
func (s *scope) duration(v value, least time.Duration) time.Duration {
	text := s.expandWord(v)
	if text == "" {
		return least
	}
	d, err := quantity.Duration(text)
	if err != nil {
		s.bad(v, "%s is %s", quoted(text), err)
	} else if d < least {
		s.bad(v, "%s is too short: at least %s", quoted(text), formatDuration(least))
	}
	return max(d, least)
}

// formatDuration is the one spelling of a duration: that of Go without its
// zero minutes and seconds, "1m30s", "24h", "0s".
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// size reads a number of bytes with an optional unit: 64KB, 10MB, 1GB.
func (s *scope) size(v value) int64 {
	text := s.expandWord(v)
	if text == "" {
		return 0
	}
	n, err := quantity.Size(text)
	if err != nil {
		s.bad(v, "%s is %s", quoted(text), err)
	}
	return n
}

// formatSize is the one spelling of a size: the largest unit that divides it.
func formatSize(n int64) string {
	for i, unit := range []string{"TB", "GB", "MB", "KB"} {
		if shift := 10 * (4 - i); n > 0 && n&(1<<shift-1) == 0 {
			return strconv.FormatInt(n>>shift, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}
