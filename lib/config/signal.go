package config

import (
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The real-time signals of signal(7) as glibc counts them: the kernel's
// first two are its own.
const (
	rtmin = 34
	rtmax = 64
)

// parseSignal returns the number of a signal given by name, with or without
// SIG and in either case, or by number: TERM, sigterm, 15, RTMIN+3.
func parseSignal(text string) (int, bool) {
	if n, err := strconv.Atoi(text); err == nil {
		return n, 1 <= n && n <= rtmax
	}
	name := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if n := int(unix.SignalNum("SIG" + name)); n > 0 {
		return n, true
	}
	for base, from := range map[string]int{"RTMIN": rtmin, "RTMAX": rtmax} {
		offset, ok := strings.CutPrefix(name, base)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(offset)
		if offset != "" && (err != nil || offset[0] != '+' && offset[0] != '-') {
			return 0, false
		}
		return from + n, rtmin <= from+n && from+n <= rtmax
	}
	return 0, false
}

// formatSignal is the one name of a signal, without SIG.
func formatSignal(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	if n == rtmin {
		return "RTMIN"
	}
	if n > rtmin {
		return "RTMIN+" + strconv.Itoa(n-rtmin)
	}
	return strconv.Itoa(n)
}

// signalNames are all names below the real-time signals.
func signalNames() []string {
	var names []string
	for n := 1; n < 32; n++ {
		names = append(names, formatSignal(n))
	}
	return names
}
