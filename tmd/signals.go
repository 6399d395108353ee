package main

import (
	"os"
	"os/signal"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
	"taskmaster/lib/signame"

	"golang.org/x/sys/unix"
)

// listenSignals hands signals to the loop.
func (d *daemon) listenSignals() {
	told := make(chan os.Signal, 8)
	signal.Notify(told, unix.SIGHUP, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		for sig := range told {
			d.signalled(sig.(syscall.Signal))
		}
	}()
}

// signalled runs beside the loop, which a reload may take its time to.
func (d *daemon) signalled(sig syscall.Signal) {
	name := signame.Of(sig)
	switch sig {
	case unix.SIGHUP:
		go d.reload(name, func(string) {})
	case unix.SIGUSR1:
		d.do(d.reopenLogs)
	case unix.SIGUSR2:
		go d.upgrade(name)
	default:
		d.do(func() { d.shutDown(name) })
	}
}

// upgrade replaces tmd by the binary on disk, by exec: same pid, the children
// stay children, and nothing else notices. The binary must first show that it
// runs.
func (d *daemon) upgrade(by string) error {
	path := d.ownProgram("tmd")
	if _, err := d.runBeside(path, "-V"); err != nil {
		die.Warn("unable to upgrade: "+path+" -V failed", err)
		return err
	}
	d.ask(func() {
		d.tell("command", "by", by, "line", "upgrade")
		d.quitting = true
		d.leave = func() {
			d.listener.Close()
			d.clients.Close()
			// What goes wrong now leaves helpers and programs as they are;
			// whoever starts tmd again finds them.
			err := syscall.Exec(path, os.Args, os.Environ())
			die.Warn("unable to execute "+path, err)
			d.status = die.Temporary
		}
	})
	return nil
}

func doUpgrade(d *daemon, r *proto.Request) {
	if err := d.upgrade(r.Peer); err != nil {
		r.Err(proto.State, "the new tmd does not run: "+err.Error())
		return
	}
	r.OK("upgrading")
}
