package main

import (
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/event"
)

// An eventReader is a companion that is handed every event.
type eventReader struct {
	*companion
	what string // "log" or "mail": where the events are missing that it lost
	lost int    // events that its FIFO had no room for, not told yet
}

// hand gives it an event without ever waiting. When there is room again it is
// first told how many it has lost; that number is returned.
func (r *eventReader) hand(text []byte) (told int) {
	if r.lost > 0 && r.write(lostEvents(r.lost, r.what)) {
		told, r.lost = r.lost, 0
	}
	if r.lost > 0 || !r.write(text) {
		r.lost++
	}
	return told
}

func lostEvents(n int, what string) []byte {
	e := event.New(time.Now(), event.Daemon, event.Lost, "n", itoa(n), "what", what)
	return e.Append(nil)
}

// An eventLog is where every event is written, by a tmlog that drops what it
// cannot write, so that it never blocks tmd.
type eventLog struct {
	eventReader
	file string
}

func (d *daemon) openEventLog() {
	conf := d.eventLogConf()
	c := d.newCompanion(string(d.dir)+"/eventlog", 0o600, logArgs(conf))
	d.log = &eventLog{eventReader{companion: c, what: "log"}, conf.File}
}

func (d *daemon) eventLogConf() *config.Log {
	if l := d.file.Settings.Log; l != nil {
		return l
	}
	conf := config.DefaultEventLog
	conf.File = string(d.dir) + "/taskmaster.log"
	return &conf
}

// changeEventLog takes a reload's `log:` in.
func (d *daemon) changeEventLog() {
	conf := d.eventLogConf()
	d.log.file = conf.File
	d.log.change(logArgs(conf))
}

// write adds a line to the event log.
func (l *eventLog) write(text []byte) {
	if l != nil && l.fd >= 0 {
		l.hand(text)
	}
}
