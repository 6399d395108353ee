package main

import (
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// A pipe lives as long as someone has it open. The program has its log FIFOs,
// and so have tmd and tmlog; should the program end while both of these are
// dead or being replaced, what they had not read yet would be gone. So the
// helper has them open as well. It never reads them.

// holdLogs opens the log FIFOs of the spec, and lets go of those it held.
func (h *helper) holdLogs() {
	before := h.heldLogs
	h.heldLogs = [2]int{-1, -1}
	for i, o := range []spec.Output{h.spec.Stdout, h.spec.Stderr} {
		if o.Kind != spec.Log {
			continue
		}
		if fd, err := openOutput(o, 0); err == nil { // else the program's start says why
			h.heldLogs[i] = fd
		}
	}
	for _, fd := range before {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
