package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"taskmaster/lib/samesignal"
	"taskmaster/lib/signame"

	"golang.org/x/sys/unix"
)

// holdSignals keeps signals that ask for something from ending a tmd that
// is not ready for them yet: they wait.
func holdSignals(which ...os.Signal) chan os.Signal {
	told := make(chan os.Signal, 8)
	signal.Notify(told, which...)
	return told
}

// endSignals are those of which a second one means at once. Of the others each
// counts: the file may have changed between two of SIGHUP.
var endSignals = map[os.Signal]bool{unix.SIGTERM: true, unix.SIGINT: true, unix.SIGQUIT: true}

// listenSignals hands signals to the loop.
func (d *daemon) listenSignals(told chan os.Signal) {
	var seen samesignal.Filter
	for sig := range told {
		if endSignals[sig] && seen.Repeats(sig, time.Now()) {
			continue
		}
		d.signalled(sig.(syscall.Signal))
	}
}

// signalled runs beside the loop, which a reload may take its time to.
func (d *daemon) signalled(sig syscall.Signal) {
	name := signame.Of(sig)
	switch sig {
	case unix.SIGHUP:
		go d.reload(name, func(string) {}, func(_, _ []*instance) {})
	case unix.SIGUSR1:
		d.do(d.reopenLogs)
	case unix.SIGUSR2:
		d.do(func() { d.tell("command", "by", name, "line", "upgrade") })
		go d.upgrade()
	default:
		d.do(func() { d.shutDown(name) })
	}
}
