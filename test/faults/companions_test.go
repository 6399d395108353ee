package faults

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"taskmaster/test/faults/record"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// TestKillLogger: a tmlog that is killed at any moment loses no line, of
// rotated logs neither, and the next one comes without tmd being asked.
func TestKillLogger(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 1ms, numprocs: 2, starttime: 0.1, stdout: {file: "HERE/talk.log", maxbytes: 8KB, backups: 1000}}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0", "talk:1")
	was := r.running("talk:0")
	for range 3 { // the next one after the third comes later
		old := r.logger("talk.log")
		kill(t, old)
		r.until(func() bool { now := r.logger("talk.log"); return now != 0 && now != old }, "another tmlog writes talk.log")
		r.moreLines("talk:0")
	}
	r.same("talk:0", was)
	d.Stop()
	files := r.logFiles("talk.log")
	if len(files) < 2 {
		t.Errorf("there are only %v", files)
	}
	for _, name := range []string{"talk:0", "talk:1"} {
		r.whole(name, files...)
	}
}

// logFiles are a log and its backups in the order of their lines.
func (r *rig) logFiles(name string) []string {
	backups, _ := filepath.Glob(r.Dir + "/" + name + ".*")
	return append(record.OldestFirst(backups), r.Dir+"/"+name)
}

// logger is the pid of the tmlog of a file of the host, 0 when none lives.
func (r *rig) logger(file string) int {
	for _, pid := range r.Children("tmlog") {
		args, _ := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
		if strings.HasSuffix(strings.TrimRight(string(args), "\x00"), "/"+file) {
			return pid
		}
	}
	return 0
}

// TestKillLoggerAndTmd: the next tmd starts the tmlog that is missing, and not
// a second one beside one that lives.
func TestKillLoggerAndTmd(t *testing.T) {
	r := newRig(t, `
programs:
  one: {cmd: TEMPER -every 1ms, starttime: 0.1, stdout: {file: "HERE/one.log", timestamp: rfc3339, prefix: "x "}}
  two: {cmd: TEMPER -every 1ms, starttime: 0.1, stdout: {file: "HERE/two.log"}}
`)
	d := r.Start()
	r.Await("RUNNING", "one:0", "two:0")
	two := r.logger("two.log")
	d.Kill()
	kill(t, r.logger("one.log"))
	r.moreLines("one:0")
	d = r.Start()
	r.until(func() bool { return r.logger("one.log") != 0 }, "one.log has a tmlog")
	if now := r.logger("two.log"); now != two {
		t.Errorf("the tmlog of two.log was %d and is %d", two, now)
	}
	d.Stop()
	r.whole("two:0", r.Dir+"/two.log")
}

// TestStoppedLogger: a program that waits for its log writer can be stopped
// all the same, and what it wrote is not lost.
func TestStoppedLogger(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -flood 1000000, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	d := r.Start()
	r.Await("RUNNING", "talk:0")
	r.until(func() bool { return r.said("talk:0") > 100 }, "talk:0 writes")
	writer := r.logger("talk.log")
	signal(t, writer, unix.SIGSTOP)
	r.until(func() bool { return r.inPipe("talk.log") }, "the pipe is full")
	r.OK("stop", "talk:0")
	signal(t, writer, unix.SIGCONT)
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// inPipe reports whether the FIFO of a log has no more room for a line.
func (r *rig) inPipe(file string) bool {
	fd, err := unix.Open(r.dir().Log(r.Dir+"/"+file), unix.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 0
}

// TestLoggerEndsBeforeItHears: a tmlog that is told to end before it can hear
// SIGTERM dies of it. What it had not read yet is read by another.
func TestLoggerEndsBeforeItHears(t *testing.T) {
	r := newRig(t, `
programs:
  say: {cmd: [sh, -c, "echo last words"], autorestart: never, starttime: 0, stdout: {file: HERE/say.log}}
`)
	r.install("tmd", "tmsupervise", "tmmail")
	r.replace("tmlog", []byte(`#!/bin/sh
case "$*" in *say.log) if mkdir "`+r.Dir+`/deaf"; then exec sleep 1000; fi ;; esac
exec "`+tmtest.Bin("tmlog")+`" "$@"
`))
	d := r.Launch(exec.Command(r.Dir+"/bin/tmd", "-c", r.Config, "-d", r.State))
	d.AwaitUp()
	r.Await("EXITED", "say:0")
	r.until(func() bool { _, err := os.Stat(r.Dir + "/deaf"); return err == nil }, "the first tmlog is there")
	d.Stop()
	if got := r.Read("say.log"); got != "last words\n" {
		t.Errorf("say.log holds %q", got)
	}
}

// TestLogThatCannotBeWritten: that a log cannot be opened is an event, so that
// people know why a program waits; once it can, nothing is missing.
func TestLogThatCannotBeWritten(t *testing.T) {
	r := newRig(t, `
programs:
  talk: {cmd: TEMPER -every 20ms, starttime: 0.1, stdout: {file: "HERE/talk.log"}}
`)
	if err := os.Mkdir(r.Dir+"/talk.log", 0o755); err != nil {
		t.Fatal(err)
	}
	d := r.Start()
	r.AwaitLog(` tmd logfull file=\S*/talk.log policy=block reason=\S*is%20a%20directory`)
	r.moreLines("talk:0")
	if err := os.Remove(r.Dir + "/talk.log"); err != nil {
		t.Fatal(err)
	}
	r.until(func() bool { return r.Read("talk.log") != "" }, "talk.log is written")
	d.Stop()
	r.whole("talk:0", r.Dir+"/talk.log")
}

// TestStoppedMail: a tmmail that takes nothing holds up nobody, and what it was
// not told is counted.
func TestStoppedMail(t *testing.T) {
	r := newRig(t, `
taskmaster: {listen: "127.0.0.1:0", mail: {to: [a@example.org], server: "127.0.0.1:9", spool: HERE/spool}}
programs:
  brief: {cmd: TEMPER -life 20ms -code 3, starttime: 0, autorestart: never}
`)
	d := r.Start()
	r.Await("EXITED", "brief:0")
	mail := r.Children("tmmail")
	signal(t, mail[0], unix.SIGSTOP)
	r.fillFIFO(r.State + "/mail")
	r.OK("start", "brief")
	r.Await("EXITED", "brief:0")
	signal(t, mail[0], unix.SIGCONT)
	r.until(func() bool {
		r.OK("start", "brief") // what is lost is told with the next event for which there is room
		return strings.Contains(r.Log(), " tmd lost n=") && strings.Contains(r.Log(), "what=mail")
	}, "the event log counts the events that tmmail was not told")
	d.Stop()
}

// TestKillMail: tmmail is replaced; an event that it had taken is mailed by
// the next one from its spool.
func TestKillMail(t *testing.T) {
	r := newRig(t, `
taskmaster: {listen: "127.0.0.1:0", mail: {to: [a@example.org], server: "127.0.0.1:9", spool: HERE/spool, group_wait: 100ms}}
programs:
  dead: {cmd: HERE/none, startretries: 0}
`)
	d := r.Start()
	r.Await("FATAL", "dead:0")
	r.AwaitLog(`tmd mail to=a@example.org .* result=deferred`)
	old := r.Children("tmmail")
	kill(t, old...)
	r.until(func() bool { now := r.Children("tmmail"); return len(now) == 1 && now[0] != old[0] }, "there is another tmmail")
	r.until(func() bool { return strings.Count(r.Log(), "result=deferred") >= 2 }, "the next tmmail tries again")
	d.Stop()
}
