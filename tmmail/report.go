package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// eventsFD is the events FIFO that TM_EVENTS names, or -1.
var eventsFD = -1

// openEvents opens the events FIFO for reading as well, though nothing is
// read: so opening does not wait, and no death of tmd gives EPIPE.
func openEvents() {
	path := os.Getenv("TM_EVENTS")
	if path == "" {
		return
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		var st unix.Stat_t
		if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
			err = fmt.Errorf("not a FIFO")
			unix.Close(fd)
		}
	}
	if err != nil {
		die.Warn("unable to open "+path+", outcomes go to standard error", err)
		return
	}
	eventsFD = fd
}

// report says what became of a letter, an event for each kind of outcome:
//
//	TIME tmd mail to=ADDRESS,ADDRESS subject=TEXT result=sent
//	TIME tmd mail to=ADDRESS subject=TEXT result=deferred reason=WORDS
//	TIME tmd mail to=ADDRESS subject=TEXT result=failed reason=WORDS
//
// to= and subject= are shortened, so that the result always fits. Where there
// is no events FIFO, success is silent and the others are warnings.
func report(now time.Time, l *letter, verdicts []verdict, delay time.Duration) {
	for _, result := range []string{sent, deferred, failed} {
		var to []string
		var reason string
		for _, v := range verdicts {
			if v.result == result {
				to = append(to, v.to)
				reason = v.reason
			}
		}
		if to == nil {
			continue
		}
		if result == deferred && delay > 0 {
			reason += ", next try in " + span(delay.Round(time.Second))
		}
		if eventsFD < 0 || !sendEvent(now, l, to, result, reason) {
			warnOutcome(l, to, result, reason)
		}
	}
}

func sendEvent(now time.Time, l *letter, to []string, result, reason string) bool {
	e := event.New(now, event.Daemon, event.Mail, "to", shortList(to), "subject", clip(l.Subject, 60), "result", result)
	if result != sent {
		e.Add("reason", reason)
	}
	for {
		_, err := unix.Write(eventsFD, e.Append(nil))
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// shortList names as many addresses as fit into 60 bytes, and how many more
// there are.
func shortList(to []string) string {
	text := clip(to[0], 60)
	for i, address := range to[1:] {
		if len(text)+len(address) > 60 {
			return fmt.Sprintf("%s,+%d", text, len(to)-1-i)
		}
		text += "," + address
	}
	return text
}

func warnOutcome(l *letter, to []string, result, reason string) {
	list := strings.Join(to, ", ")
	switch result {
	case deferred:
		die.Warn(fmt.Sprintf("mail to %s deferred: %s", list, reason), nil)
	case failed:
		die.Warn(fmt.Sprintf("mail to %s refused, kept as failed/%s: %s", list, l.ID, reason), nil)
	}
}
