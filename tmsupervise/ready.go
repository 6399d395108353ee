package main

import (
	"bytes"
	"strconv"
	"strings"
	"syscall"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A readiness is how the program tells that it is ready and alive: s6's
// newline on a descriptor, or systemd's datagrams (sd_notify(3)).
type readiness struct {
	kind string        // as spec.Ready.Kind was at the start of the program
	fd   int           // read from here, -1 when there is nothing to hear
	name string        // of the abstract socket
	text string        // STATUS=
	due  time.Duration // when the watchdog bites, 0 for never
}

// chooseReady forgets the way of the last program and names that of the next,
// so that the spawn record has the name.
func (h *helper) chooseReady() {
	h.closeReady()
	h.beat.kind = h.spec.Ready.Kind
	if h.beat.kind == spec.SdNotify {
		h.beat.name = socketName()
	}
}

// openReady makes the way for a program that is about to be started.
func (h *helper) openReady(files *programFds) *ending {
	var err error
	switch h.beat.kind {
	case spec.Notify:
		err = h.openNotify(files)
	case spec.SdNotify:
		err = h.bindNotify()
	}
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return failure("open the way to say ready", errno)
	}
	return nil
}

func (h *helper) openNotify(files *programFds) error {
	// What an earlier program left running may hold the old one: its newline
	// must not speak for this program.
	unix.Unlink(h.dir.Ready())
	if err := statedir.MakeFIFO(h.dir.Ready(), 0o600); err != nil {
		return err
	}
	fd, err := statedir.OpenFIFO(h.dir.Ready(), unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	theirs, err := statedir.OpenFIFO(h.dir.Ready(), 0)
	if err != nil {
		unix.Close(fd)
		return err
	}
	h.beat.fd, files.ready, files.readyAs = fd, theirs, h.spec.Ready.FD
	return nil
}

// socketName is one that nobody can have bound before.
func socketName() string {
	name := []byte("taskmaster/")
	var random [16]byte
	unix.Getrandom(random[:], 0) // does not fail for so few bytes (getrandom(2))
	for _, b := range random {
		name = append(name, 'a'+b%26)
	}
	return string(name)
}

// bindNotify binds the abstract socket: one in the state directory could not
// be reached by a program of another user.
func (h *helper) bindNotify() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: "@" + h.beat.name})
	}
	if err == nil {
		err = h.hearOn(fd)
	}
	unix.Close(fd)
	return err
}

// hearOn moves the socket to where tmd finds it.
func (h *helper) hearOn(fd int) error {
	if err := unix.Dup3(fd, statedir.NotifyFD, unix.O_CLOEXEC); err != nil {
		return err
	}
	h.beat.fd = statedir.NotifyFD
	return nil
}

// bindAgain takes the socket that tmd has kept for this helper, with all that
// was said meanwhile, or else a new one of the same name.
func (h *helper) bindAgain() error {
	if statedir.SocketName(statedir.KeptNotifyFD) != h.beat.name {
		return h.bindNotify()
	}
	defer unix.Close(statedir.KeptNotifyFD)
	return h.hearOn(statedir.KeptNotifyFD)
}

// reopenReady takes up the way of an adopted program. What it said while no
// helper lived is in the FIFO, or in the socket if tmd lived.
func (h *helper) reopenReady() {
	switch {
	case h.beat.name != "":
		h.beat.kind = spec.SdNotify
		if h.state == starting || h.state == running {
			h.beat.text, h.detail = h.detail, ""
		}
		if err := h.bindAgain(); err != nil {
			die.Warn("unable to hear the program again", err)
		}
		h.armWatchdog()
	case h.spec.Ready.Kind == spec.Notify && !h.isReady:
		if fd, err := statedir.OpenFIFO(h.dir.Ready(), unix.O_NONBLOCK); err == nil {
			h.beat.kind, h.beat.fd = spec.Notify, fd
		}
	}
	if h.state == starting {
		h.waitAsSpecified()
	}
}

func (h *helper) closeReady() {
	if h.beat.fd >= 0 {
		unix.Close(h.beat.fd)
	}
	h.beat = readiness{fd: -1}
}

// readyEnv adds what tells the program where to say that it is ready.
func (h *helper) readyEnv(env []string) []string {
	if h.spec.Ready.Kind != spec.SdNotify {
		return env
	}
	env = append(env[:len(env):len(env)], "NOTIFY_SOCKET=@"+h.beat.name)
	if h.spec.Watchdog > 0 {
		env = append(env, "WATCHDOG_USEC="+strconv.FormatInt(h.spec.Watchdog.Microseconds(), 10))
	}
	return env
}

// readReady hears the program.
func (h *helper) readReady() {
	if h.beat.kind == spec.SdNotify {
		h.readDatagrams()
		return
	}
	var buf [512]byte
	n, _ := unix.Read(h.beat.fd, buf[:])
	if n > 0 && bytes.IndexByte(buf[:n], '\n') >= 0 {
		h.closeReady()
		h.sayReady(spec.Notify)
	}
}

// sayReady takes the program's word if that is what the spec of today asks for.
func (h *helper) sayReady(kind string) {
	if h.spec.Ready.Kind == kind {
		h.step(ready)
	}
}

// datagramsAtOnce is more than a socket keeps (net.unix.max_dgram_qlen), but
// bounds what is read in one turn of the loop, so that a program that has ever
// more to say holds up nothing else.
const datagramsAtOnce = 1024

func (h *helper) readDatagrams() {
	var buf [4096]byte // systemd's limit as well
	var oob [64]byte
	for left := datagramsAtOnce; left > 0 && h.beat.fd >= 0; left-- {
		n, oobn, flags, _, err := unix.Recvmsg(h.beat.fd, buf[:], oob[:], unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		messages, _ := unix.ParseSocketControlMessage(oob[:oobn])
		believed := h.mayNotify(messages) && flags&unix.MSG_TRUNC == 0
		if believed {
			h.notified(string(buf[:n]))
		}
		closeSent(messages)
	}
}

// mayNotify believes the program's user and our own, and whatever their user
// the program and its descendants: a server may have given up its rights.
func (h *helper) mayNotify(messages []unix.SocketControlMessage) bool {
	for i := range messages {
		cred, err := unix.ParseUnixCredentials(&messages[i])
		if err == nil {
			uid := int(cred.Uid)
			return uid == h.programUID() || uid == unix.Geteuid() || h.descends(int(cred.Pid))
		}
	}
	return false
}

// descends reports whether a process is the program or hangs below it or,
// orphaned, below us.
func (h *helper) descends(pid int) bool {
	self := unix.Getpid()
	for pid > 1 && pid != self && pid != h.pid {
		s, err := procfs.ReadStat(pid)
		if err != nil {
			return false
		}
		pid = s.PPID
	}
	return pid > 1
}

// closeSent closes descriptors that came along. That of BARRIER=1 tells the
// sender by its end that all it said before was heard (sd_notify_barrier(3)).
func closeSent(messages []unix.SocketControlMessage) {
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

// notified obeys one datagram of sd_notify(3).
func (h *helper) notified(text string) {
	for _, entry := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(entry, "=")
		switch {
		case key == "READY" && value == "1":
			h.sayReady(spec.SdNotify)
			h.armWatchdog()
		case key == "WATCHDOG" && value == "1":
			h.armWatchdog()
		case key == "WATCHDOG" && value == "trigger":
			h.bite("watchdog: the program gave itself up")
		case key == "STATUS":
			h.beat.text = value
			h.publish()
		case key == "STOPPING" && value == "1":
			h.beat.text = "stopping"
			h.publish()
		}
	}
}

// armWatchdog gives the program its time anew.
func (h *helper) armWatchdog() {
	h.beat.due = 0
	if h.spec.Watchdog > 0 && h.beat.kind == spec.SdNotify && h.state == running {
		h.beat.due = h.now() + h.spec.Watchdog
	}
}

// silent is the end of the watchdog's time.
func (h *helper) silent() { h.bite("watchdog: silent for " + seconds(h.spec.Watchdog)) }

func (h *helper) bite(reason string) {
	h.beat.due = 0
	h.makeSick(reason, "auto", true)
}
