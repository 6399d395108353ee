package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxDuration keeps every deadline far from the end of the clock.
const maxDuration = 10 * 365 * 24 * time.Hour

var seconds = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// duration reads a number of seconds, or a Go duration like 1m30s or 250ms,
// from least to ten years.
func (l *loader) duration(v value, least time.Duration) time.Duration {
	text := l.word(v)
	if text == "" {
		return least
	}
	number := text
	if seconds.MatchString(text) {
		number += "s"
	}
	d, err := time.ParseDuration(number)
	switch {
	case err != nil:
		l.bad(v, "%s is not a duration: write seconds, or like 1m30s or 250ms", quoted(text))
	case d < 0:
		l.bad(v, "%s is negative", quoted(text))
	case d < least:
		l.bad(v, "%s is too short: at least %s", quoted(text), formatDuration(least))
	case d > maxDuration:
		l.bad(v, "%s is too long: at most ten years", quoted(text))
	default:
		return d
	}
	return least
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

var sizeForm = regexp.MustCompile(`^(?i)([0-9]+)(|[KMGT]B?)$`)

// size reads a number of bytes with an optional unit: 64KB, 10MB, 1GB, each
// 1024 of the one before, as Supervisor has it.
func (l *loader) size(v value) int64 {
	text := l.word(v)
	if text == "" {
		return 0
	}
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		l.bad(v, "%s is not a size: write bytes, or like 64KB, 10MB or 1GB", quoted(text))
		return 0
	}
	shift := 0
	if parts[2] != "" {
		shift = 10 * (1 + strings.IndexByte("KMGT", strings.ToUpper(parts[2])[0]))
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n > math.MaxInt64>>shift {
		l.bad(v, "%s is too large", quoted(text))
		return 0
	}
	return n << shift
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
