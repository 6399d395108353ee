package main

import (
	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"

	"golang.org/x/sys/unix"
)

// Each log file has one tmlog, its logger, for all instances that write to it.

// startLogs makes the loggers be those of the configuration: new ones are started
// before the first program that writes to them, changed ones get a new tmlog.
// One that nothing names any more goes when its last writer has gone.
func (d *daemon) startLogs(file *config.File) {
	for _, p := range file.Programs {
		for _, in := range p.Instances {
			for _, o := range []config.Output{in.Stdout, in.Stderr} {
				if o.Kind == "log" {
					d.startLog(o.Log)
				}
			}
		}
	}
}

// inheritLogs takes on the loggers of files that the configuration does not
// name any more: programs that an earlier tmd started may write to them yet.
func (d *daemon) inheritLogs() {
	known := map[string]bool{}
	for _, l := range d.logs {
		known[l.fifo] = true
	}
	names, err := procfs.Names(d.dir.LogDir())
	if err != nil {
		die.Warn("unable to read "+d.dir.LogDir(), err)
	}
	for _, name := range names {
		fifo := d.dir.LogDir() + "/" + name
		if known[fifo] || !isFIFO(fifo) {
			continue
		}
		if c := d.inheritCompanion(fifo, 0o666); c != nil {
			d.logs[c.argv[len(c.argv)-1]] = c
		} else {
			unix.Unlink(fifo) // nobody ever read it
		}
	}
}

func isFIFO(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}

func (d *daemon) startLog(conf *config.Log) {
	l := d.logs[conf.File]
	if l == nil {
		d.logs[conf.File] = d.newCompanion(d.dir.Log(conf.File), 0o666, logArgs(conf))
		return
	}
	l.stopped = nil // wanted again before it had gone
	l.change(logArgs(conf))
}

// logArgs is the command line of the tmlog for a log map.
func logArgs(l *config.Log) []string {
	argv := []string{"tmlog", "-t", l.Timestamp, "-s", itoa(int(l.MaxBytes)), "-n", itoa(l.Backups), "-f", l.OnFull}
	if l.MaxAge > 0 {
		argv = append(argv, "-a", l.MaxAge.String())
	}
	if l.MaxTotal > 0 {
		argv = append(argv, "-S", itoa(int(l.MaxTotal)))
	}
	if l.Prefix != "" {
		argv = append(argv, "-p", l.Prefix)
	}
	for _, pattern := range l.Select {
		option := "-i"
		if pattern[0] == '-' {
			option = "-x"
		}
		argv = append(argv, option, pattern[1:])
	}
	if l.Compress != "" {
		argv = append(argv, "-z", l.Compress)
	}
	return append(argv, "--", l.File)
}

// logUnused ends the loggers that neither the configuration nor a living
// instance needs.
func (d *daemon) logUnused() {
	used := map[string]bool{}
	for in := range d.everyone {
		for file := range in.writesTo {
			used[file] = true
		}
	}
	for file := range d.logs {
		if !used[file] {
			d.endLog(file)
		}
	}
}

// leaveLogs ends the loggers that an instance which has gone was the last to
// write to.
func (d *daemon) leaveLogs(in *instance) {
	for file := range in.writesTo {
		if !d.isWritten(file) {
			d.endLog(file)
		}
	}
}

func (d *daemon) isWritten(file string) bool {
	for in := range d.everyone {
		if in.writesTo[file] {
			return true
		}
	}
	return false
}

// endLog ends a logger. It stays known while it goes: another for the same
// file must not take over the FIFO that it is about to remove.
func (d *daemon) endLog(file string) {
	if l := d.logs[file]; l != nil && l.stopped == nil {
		l.finish(func() { delete(d.logs, file) })
	}
}

// noteLogs notes the files that the program of an instance may write to: those
// of the spec, and until it is started anew those of the spec before.
func (in *instance) noteLogs(restarted bool) {
	before := in.writesTo
	if restarted || in.writesTo == nil {
		in.writesTo = map[string]bool{}
	}
	if in.conf != nil {
		for _, o := range []config.Output{in.conf.Stdout, in.conf.Stderr} {
			if o.Kind == "log" {
				in.writesTo[o.Path] = true
			}
		}
	}
	for file := range before {
		in.leftLog = in.leftLog || !in.writesTo[file]
	}
}

// writesAsBefore notes the files that a program which an earlier tmd started
// may write to, by the spec that it was given.
func (d *daemon) writesAsBefore(in *instance, s *spec.Spec) {
	in.noteLogs(false)
	for _, o := range []spec.Output{s.Stdout, s.Stderr} {
		for file, l := range d.logs {
			if o.Kind == spec.Log && o.Path == l.fifo {
				in.writesTo[file] = true
			}
		}
	}
}

// reopenLogs is SIGUSR1.
func (d *daemon) reopenLogs() {
	d.log.signal(unix.SIGHUP)
	for _, l := range d.logs {
		l.signal(unix.SIGHUP)
	}
}
