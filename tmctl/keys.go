package main

import (
	"os"

	"golang.org/x/sys/unix"

	"taskmaster/lib/die"
)

// keyboard is standard input on a descriptor of its own, made once: the
// restorer takes descriptor 0 away from others.
func (s *session) keyboard() (*os.File, error) {
	if s.keys == nil {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, err
		}
		s.keys = os.NewFile(uintptr(fd), "standard input")
	}
	return s.keys, nil
}

// A terminalMode is how a terminal is set (termios(3)).
type terminalMode struct {
	keyboard *os.File
	settings unix.Termios
}

// mode reads how the terminal is set now.
func (s *session) mode() (terminalMode, error) {
	keyboard, err := s.keyboard()
	if err == nil {
		var settings *unix.Termios
		settings, err = unix.IoctlGetTermios(int(keyboard.Fd()), unix.TCGETS)
		if err == nil {
			return terminalMode{keyboard, *settings}, nil
		}
	}
	return terminalMode{}, failed(die.Temporary, "unable to read the mode of the terminal: %s", die.Reason(err))
}

// apply sets the terminal; what was typed already stays.
func (m terminalMode) apply() error {
	return unix.IoctlSetTermios(int(m.keyboard.Fd()), unix.TCSETS, &m.settings)
}

// keyByKey is a mode in which each key is given as it is pressed, and none is
// shown. ^C remains a signal; ^Z does not suspend, which would leave a screen
// that the shell writes into.
func (m terminalMode) keyByKey() terminalMode {
	m.settings.Lflag &^= unix.ICANON | unix.ECHO
	m.settings.Cc[unix.VMIN], m.settings.Cc[unix.VTIME] = 1, 0
	m.settings.Cc[unix.VSUSP] = 0 // _POSIX_VDISABLE
	return m
}

// withoutSignals is a mode in which ^C is a key like any other.
func (m terminalMode) withoutSignals() terminalMode {
	m.settings.Lflag &^= unix.ISIG
	return m
}

// keys are those pressed, from readKeys to stop.
type keys struct {
	typed   chan string // closed at the end of the terminal
	stopped chan struct{}
	wake    *os.File // the pipe whose end wakes the reader
	ended   chan struct{}
}

// readKeys reads in the background. It waits in poll(2) and not in read(2), so
// that stop can end it: a read left over would steal the first key from the
// prompt that follows.
func readKeys(file *os.File) (*keys, error) {
	woken, wake, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	k := &keys{make(chan string), make(chan struct{}), wake, make(chan struct{})}
	go k.read(file, woken)
	return k, nil
}

func (k *keys) read(file, woken *os.File) {
	defer close(k.ended)
	defer close(k.typed)
	defer woken.Close()
	fds := []unix.PollFd{
		{Fd: int32(file.Fd()), Events: unix.POLLIN},
		{Fd: int32(woken.Fd())},
	}
	buffer := make([]byte, 64)
	for {
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		}
		if fds[1].Revents != 0 {
			return
		}
		n, err := unix.Read(int(file.Fd()), buffer)
		if n <= 0 || err != nil {
			return
		}
		select {
		case k.typed <- string(buffer[:n]):
		case <-k.stopped:
			return
		}
	}
}

// stop ends the reading; keys pressed from now on are somebody else's.
func (k *keys) stop() {
	close(k.stopped)
	k.wake.Close()
	<-k.ended
}
