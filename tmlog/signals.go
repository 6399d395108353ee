package main

import (
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// What the main loop is told from outside. It asks between two chunks, and
// its waits end when something is raised.
const (
	endAsked    = 1 << iota // SIGTERM, SIGINT
	rotateAsked             // SIGALRM
	reopenAsked             // SIGHUP
	jobEnded                // the compress command is done
)

// A mailbox holds what was raised and not yet heard. Signals go through
// os/signal, since Go unblocks what signalfd(2) would need blocked.
type mailbox struct {
	raised atomic.Uint32
	fd     int // an eventfd(2), readable while something may be raised
}

func newMailbox() (*mailbox, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return &mailbox{fd: fd}, err
}

func (m *mailbox) listen() {
	arrived := make(chan os.Signal, 8)
	signal.Notify(arrived, unix.SIGTERM, unix.SIGINT, unix.SIGALRM, unix.SIGHUP)
	go func() {
		for s := range arrived {
			switch s {
			case unix.SIGALRM:
				m.raise(rotateAsked)
			case unix.SIGHUP:
				m.raise(reopenAsked)
			default:
				m.raise(endAsked)
			}
		}
	}()
}

func (m *mailbox) raise(what uint32) {
	m.raised.Or(what)
	unix.Write(m.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// hear returns what was raised since the last call.
func (m *mailbox) hear() uint32 {
	if m.raised.Load() == 0 {
		return 0
	}
	var count [8]byte
	unix.Read(m.fd, count[:])
	return m.raised.Swap(0)
}
