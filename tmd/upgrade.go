package main

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"

	"golang.org/x/sys/unix"
)

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

// listenVariable names, in the environment of a tmd that replaces itself, the
// descriptor of the listening socket: a client that connects meanwhile waits
// in its queue and is not refused.
const listenVariable = "TM_LISTEN"

// handOver keeps the listening socket open over an exec and says where it is.
func (d *daemon) handOver() []string {
	l, ok := d.listener.(*net.TCPListener)
	if !ok {
		return nil
	}
	file, err := l.File() // a duplicate, which closing the listener leaves open
	if err != nil {
		return nil
	}
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD, 3) // without close-on-exec
	file.Close()
	if err != nil {
		return nil
	}
	return []string{listenVariable + "=" + strconv.Itoa(fd) + " " + d.file.Settings.Listen}
}

// takeOver returns the socket that the tmd before this one listened on, nil
// when there is none or it has another address than the file asks for.
func takeOver(address string) net.Listener {
	number, was, _ := strings.Cut(os.Getenv(listenVariable), " ")
	os.Unsetenv(listenVariable)
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	if was != address {
		return nil
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil
	}
	return l
}
