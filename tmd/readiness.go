package main

import (
	"net"
	"os"
	"strconv"

	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// A readiness is how whoever started tmd wants to hear that clients are
// served: READY=1 to a socket, as sd_notify(3) has it, for systemd; a line on
// a descriptor, which is then closed, for s6 and for scripts.
type readiness struct {
	socket string   // of NOTIFY_SOCKET, "" for none
	file   *os.File // of TM_NOTIFY_FD, nil for none
}

// inheritReadiness takes both out of the environment, which an upgrade keeps,
// but not the descriptor. Only a descriptor without FD_CLOEXEC was inherited:
// tmd's own all have it, and must not be taken for one.
func inheritReadiness() readiness {
	r := readiness{socket: os.Getenv("NOTIFY_SOCKET")}
	given := os.Getenv("TM_NOTIFY_FD")
	os.Unsetenv("NOTIFY_SOCKET")
	os.Unsetenv("TM_NOTIFY_FD")
	if given == "" {
		return r
	}
	fd, err := strconv.Atoi(given)
	if err == nil && fd > 2 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.CloseOnExec(fd)
			r.file = os.NewFile(uintptr(fd), "TM_NOTIFY_FD")
			return r
		}
	}
	die.Warn("TM_NOTIFY_FD is no open descriptor above 2: "+strconv.Quote(given), nil)
	return r
}

// tell says it, once.
func (r readiness) tell() {
	if r.socket != "" {
		if err := notifySocket(r.socket, "READY=1\n"); err != nil {
			die.Warn("unable to tell "+strconv.Quote(r.socket)+" that tmd is ready", err)
		}
	}
	if r.file != nil {
		if _, err := r.file.WriteString("ready\n"); err != nil {
			die.Warn("unable to tell TM_NOTIFY_FD that tmd is ready", err)
		}
		r.file.Close()
	}
}

// notifySocket sends one datagram. An address that begins with @ is an
// abstract one, unix(7).
func notifySocket(path, message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(message))
	return err
}
