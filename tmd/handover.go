package main

import (
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

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
