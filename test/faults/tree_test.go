package faults

import "testing"

// TestHeadless: a process whose first thread has ended looks like a zombie in
// /proc, but is none: it still has its locks and its port. What a program
// leaves of that kind is ended before the next one starts.
func TestHeadless(t *testing.T) {
	r := newRig(t, `
programs:
  head: {cmd: TEMPER -brood headless=2 -life 300ms, starttime: 0.1, autorestart: always}
`)
	d := r.Start()
	r.AwaitLog(`head:0 exited pid=\d+ code=0 expected=yes uptime=\S+ left=2`)
	r.until(func() bool { return r.lives("head:0") >= 3 }, "head:0 is restarted")
	r.killHelper("head:0")
	was := r.lives("head:0")
	r.until(func() bool { return r.lives("head:0") >= was+2 }, "head:0 is restarted by its second helper")
	d.Stop()
}
