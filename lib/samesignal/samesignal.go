// Package samesignal tells a signal that one act sent twice from two. timeout(1)
// signals first its command and then its process group, where the command is
// too: whoever takes a second SIGTERM for "do not wait any longer" would never
// stop anything in an orderly way under it.
package samesignal

import (
	"os"
	"time"
)

// window is how long after a signal the same one is still part of it. On a
// machine with five processes to a core the two of timeout(1) came within
// 0.4 ms; nobody sees what a signal does and sends a second one in 3 ms.
const window = 3 * time.Millisecond

// A Filter remembers the signals of one process. Its zero value is ready.
type Filter struct {
	last map[os.Signal]time.Time
}

// Repeats reports whether sig, received at now, belongs to the one before it.
func (f *Filter) Repeats(sig os.Signal, now time.Time) bool {
	if at, ok := f.last[sig]; ok && now.Sub(at) < window {
		return true
	}
	if f.last == nil {
		f.last = map[os.Signal]time.Time{}
	}
	f.last[sig] = now
	return false
}
