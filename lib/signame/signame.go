// Package signame names signals as people write them: TERM, SIGTERM, term,
// 15, RTMIN+3. It imports no fmt, since tmsupervise, which runs in many
// copies, needs it too.
package signame

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The real-time signals, counted as the C library does (signal(7)): the
// kernel's first two are the library's own.
const (
	rtmin = 34
	rtmax = 64
)

// Parse returns the signal of a name, with or without SIG and in either case,
// or of a number from 1 to 64.
func Parse(text string) (syscall.Signal, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return syscall.Signal(n), 1 <= n && n <= rtmax
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if offset, ok := strings.CutPrefix(name, "RTMIN"); ok {
		return realTime(rtmin, offset, '+')
	}
	if offset, ok := strings.CutPrefix(name, "RTMAX"); ok {
		return realTime(rtmax, offset, '-')
	}
	sig := unix.SignalNum("SIG" + name)
	return sig, sig != 0
}

// realTime counts from one end of the real-time signals, inward.
func realTime(from int, offset string, sign byte) (syscall.Signal, bool) {
	if offset == "" {
		return syscall.Signal(from), true
	}
	n, err := strconv.Atoi(offset)
	n += from
	return syscall.Signal(n), err == nil && offset[0] == sign && rtmin <= n && n <= rtmax
}

// Of returns the name of a signal without SIG; RTMIN+N for a real-time one;
// the number for what has no name.
func Of(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	switch n := int(sig); {
	case n == rtmin:
		return "RTMIN"
	case rtmin < n && n <= rtmax:
		return "RTMIN+" + strconv.Itoa(n-rtmin)
	default:
		return strconv.Itoa(n)
	}
}

// All returns the names of the signals that have one of their own.
func All() []string {
	var names []string
	for n := 1; n < rtmin; n++ {
		if unix.SignalName(syscall.Signal(n)) != "" {
			names = append(names, Of(syscall.Signal(n)))
		}
	}
	return names
}
