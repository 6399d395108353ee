package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
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

// upgrade replaces tmd by the binary on disk, by exec: same pid, the children
// stay children, and nothing else notices.
func (d *daemon) upgrade() error {
	err := d.tryOut()
	d.ask(func() {
		switch {
		case err != nil:
			die.Warn("unable to upgrade", err)
		case d.stopping:
			err = errStopping
		default:
			d.quitting = true
			d.leave = d.becomeNew
		}
	})
	return err
}

// tryOut has the binary on disk check our configuration. One that does not
// run, or that would refuse the file or the state directory, must not take our
// place.
func (d *daemon) tryOut() error {
	if _, err := os.Stat(d.dir.Boot()); err != nil {
		return errRemoved
	}
	ctx, cancel := context.WithTimeout(context.Background(), helpTime)
	defer cancel()
	out, err := d.runOwn(ctx, append(append([]string{"tmd"}, os.Args[1:]...), "-t"))
	if text := strings.TrimSpace(string(out)); err != nil && text != "" {
		return errors.New(text[strings.LastIndexByte(text, '\n')+1:])
	}
	return err
}

// becomeNew is the exec. Should it fail after all, the binary that runs, which
// the kernel keeps whatever became of its file, takes its own place.
func (d *daemon) becomeNew() {
	env := append(os.Environ(), d.handOver()...)
	d.clients.Close()
	for _, path := range []string{d.ownProgram("tmd"), "/proc/self/exe"} {
		err := syscall.Exec(path, os.Args, env)
		die.Warn("unable to execute "+path, err)
	}
	d.status = die.Temporary
}

func doUpgrade(d *daemon, r *proto.Request) {
	if _, ok := onlyOptions(r, ""); !ok {
		return
	}
	if err := d.upgrade(); err != nil {
		r.Err(proto.State, "no upgrade: "+err.Error())
		return
	}
	r.OK("upgrading")
}
