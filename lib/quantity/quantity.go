// Package quantity reads sizes and durations the way every option of the
// tools writes them. It imports neither fmt nor regexp, since tools that run
// in many copies read their options with it.
package quantity

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrSize and ErrDuration say what would have been right.
var (
	ErrSize     = errors.New("not a size: write bytes, or like 64KB, 10MB or 1GB")
	ErrDuration = errors.New("not a duration: write seconds, or like 1m30s or 250ms")
)

// maxDuration keeps every deadline far from the end of the clock.
const maxDuration = 10 * 365 * 24 * time.Hour

// Size reads a number of bytes with an optional unit: K, KB, M, MB, G, GB, T
// or TB in either case, each 1024 of the one before, as Supervisor has it.
// The only error is ErrSize.
func Size(text string) (int64, error) {
	number := strings.ToUpper(text)
	if short, ok := strings.CutSuffix(number, "B"); ok && short != strings.TrimRight(short, "KMGT") {
		number = short
	}
	shift := 0
	if n := len(number); n > 0 {
		if unit := strings.IndexByte("KMGT", number[n-1]); unit >= 0 {
			number, shift = number[:n-1], 10*(unit+1)
		}
	}
	bytes, err := strconv.ParseUint(number, 10, 63)
	if err != nil || bytes > math.MaxInt64>>shift {
		return 0, ErrSize
	}
	return int64(bytes) << shift, nil
}

// Duration reads a number of seconds, "90" or "0.25", or a Go duration like
// 1m30s; from zero to ten years. The only error is ErrDuration.
func Duration(text string) (time.Duration, error) {
	if text != "" && strings.Trim(text, "0123456789.") == "" {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxDuration {
		return 0, ErrDuration
	}
	return d, nil
}
