package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/backoff"
	"taskmaster/lib/die"
	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A companion is a tmlog or tmmail: a process of ours that reads a FIFO in
// the state directory, outlives tmd, and is started again when it dies. tmd
// holds the FIFO open, so that what it has not read waits for its successor.
//
// PATH.pid beside the FIFO says who reads it and with which arguments, so that
// a later tmd takes on one that suits it and replaces one that does not.
type companion struct {
	d    *daemon
	fifo string
	mode uint32 // of the FIFO
	argv []string
	fd   int // -1 when closed

	pid, pidfd int
	since      time.Time
	trouble    int // times in a row that it died within a second
	again      *alarm
	leaving    bool   // SIGTERM was sent
	anew       bool   // this reader was started to end, see endAnew
	stopped    func() // not nil: it is to end for good, and then this is called
}

// newCompanion opens the FIFO and starts or finds its reader.
func (d *daemon) newCompanion(fifo string, mode uint32, argv []string) *companion {
	c := &companion{d: d, fifo: fifo, mode: mode, argv: argv, fd: -1}
	c.open()
	return c
}

// open makes the FIFO, which a full disk may have no room for now.
func (c *companion) open() {
	err := statedir.MakeFIFO(c.fifo, c.mode)
	if err == nil {
		c.fd, err = statedir.OpenFIFO(c.fifo, unix.O_NONBLOCK)
	}
	if err != nil {
		die.Warn("unable to open "+c.fifo, err)
		c.later(c.open)
		return
	}
	if !c.find() {
		c.start()
	}
}

func (c *companion) pidFile() string { return c.fifo + ".pid" }

// record says who the reader is: `PID START ARG ...`. Before a fork the pid is
// 0 and START the present, so that a tmd that is killed right then does not
// leave a reader of whom the next one does not know. It needs no space for it
// after the first time.
func (c *companion) record(pid int, start uint64) error {
	words := append([]string{itoa(pid), strconv.FormatUint(start, 10)}, encodable(c.argv)...)
	return statedir.Publish(c.pidFile(), []byte(line.Join(words...)+"\n"))
}

// find takes on the reader that an earlier tmd started.
func (c *companion) find() bool {
	pid, start, argv := recorded(c.pidFile())
	if argv == nil {
		return false
	}
	if pid == 0 {
		pid, start = c.search(start, argv)
	}
	fd, err := procfs.OpenPidfd(pid, start)
	if err != nil {
		return false
	}
	c.watch(pid, fd)
	if !slices.Equal(argv, encodable(c.argv)) {
		c.end()
	}
	return true
}

// recorded reads what record wrote; argv is nil when that is not to be had.
func recorded(pidFile string) (pid int, start uint64, argv []string) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, 0, nil
	}
	words, err := line.Words(strings.TrimSuffix(string(text), "\n"))
	if err != nil || len(words) < 3 {
		return 0, 0, nil
	}
	pid, _ = strconv.Atoi(words[0])
	start, _ = strconv.ParseUint(words[1], 10, 64)
	return pid, start, words[2:]
}

// inheritCompanion takes on the reader of a FIFO that the configuration does
// not ask for any more, with the arguments it had; nil when there was none.
func (d *daemon) inheritCompanion(fifo string, mode uint32) *companion {
	_, _, words := recorded(fifo + ".pid")
	if words == nil {
		return nil
	}
	argv := slices.Clone(words)
	for i := range argv {
		if argv[i] == "\x00" {
			argv[i] = "" // as encodable has it
		}
	}
	return d.newCompanion(fifo, mode, argv)
}

// search looks for a reader that was about to be forked at a tick since boot;
// pid is 0 when it never was, or has ended.
func (c *companion) search(since uint64, argv []string) (pid int, start uint64) {
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		s, err := procfs.ReadStat(pid)
		if err != nil || s.Start < since || s.Dead() || !procfs.HasEnv(pid, "TM_EVENTS="+c.d.dir.Events()) {
			continue
		}
		if text, err := os.ReadFile("/proc/" + itoa(pid) + "/cmdline"); err == nil {
			words := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
			if slices.Equal(encodable(words), argv) {
				return pid, s.Start
			}
		}
	}
	return 0, 0
}

// encodable stands in for empty arguments, which words cannot hold.
func encodable(argv []string) []string {
	out := slices.Clone(argv)
	for i := range out {
		if out[i] == "" {
			out[i] = "\x00"
		}
	}
	return out
}

func (c *companion) watch(pid, fd int) {
	c.pid, c.pidfd, c.since, c.leaving = pid, fd, time.Now(), false
	if err := c.d.watcher.watch(fd, c.ended); err != nil {
		die.Warn("unable to watch "+c.argv[0], err)
	}
}

func (c *companion) start() {
	c.again = nil
	// The reader gets a description of its own, blocking.
	fd, err := statedir.OpenFIFO(c.fifo, 0)
	if err != nil {
		c.retry(err)
		return
	}
	defer unix.Close(fd)
	if err := c.record(0, procfs.Ticks()); err != nil {
		c.retry(err)
		return
	}
	pidfd := -1
	pid, err := c.d.children.start(child{
		path: c.d.ownProgram(c.argv[0]), argv: c.argv, env: c.d.companionEnv(),
		files: [3]int{fd, 1, 2}, pidfd: &pidfd,
	}, func(unix.WaitStatus) {})
	if err != nil {
		c.retry(err)
		return
	}
	if s, err := procfs.ReadStat(pid); err == nil {
		c.record(pid, s.Start) // else search finds it
	}
	c.watch(pid, pidfd)
}

// companionEnv tells where to report, and keeps the Go runtime small.
func (d *daemon) companionEnv() []string {
	return append(d.plainEnv(), "GOMAXPROCS=1", "TM_EVENTS="+d.dir.Events(), "TM_STATE="+string(d.dir))
}

func (c *companion) retry(err error) {
	die.Warn("unable to start "+c.argv[0], err)
	c.later(c.start)
}

func (c *companion) later(what func()) {
	c.trouble++
	c.again = c.d.after(backoff.Delay(time.Second, time.Minute, c.trouble), what)
}

// ended runs when the reader has ended.
func (c *companion) ended() {
	c.pid = 0
	if c.stopped != nil {
		if !c.endAnew() {
			c.close()
		}
		return
	}
	if c.leaving || time.Since(c.since) >= time.Second {
		c.trouble = 0
	}
	c.trouble++
	if c.trouble > 2 {
		c.again = c.d.after(backoff.Delay(time.Second, time.Minute, c.trouble-2), c.start)
		return
	}
	c.start()
}

// deafFor is how long after its start a reader may not hear SIGTERM yet, and
// dies of it like any program.
const deafFor = time.Second

// endAnew has what a reader left in the FIFO, by dying rather than ending, read
// by another one, which is given the time to hear; so it is where the next one
// was still to come when all was to end. It says whether there is
// anything; what that one leaves as well, on a full disk, nobody could write.
func (c *companion) endAnew() bool {
	left, err := unix.IoctlGetInt(c.fd, unix.TIOCINQ)
	if err != nil || left == 0 || c.anew {
		return false
	}
	c.start()
	if c.pid == 0 {
		c.d.cancel(c.again)
		return false
	}
	c.anew = true
	c.again = c.d.after(deafFor, c.end)
	return true
}

// end asks the reader to finish what the FIFO holds and go; with stopped set
// that is the end of it, else a new one follows.
func (c *companion) end() {
	if c.pid != 0 {
		c.leaving = true
		c.signal(unix.SIGTERM)
		c.signal(unix.SIGCONT) // one that someone stopped hears no other signal
	} else if c.stopped != nil && !c.endAnew() {
		c.close()
	}
}

func (c *companion) signal(sig unix.Signal) {
	if c.pid != 0 {
		procfs.SignalPidfd(c.pidfd, sig)
	}
}

// finish ends it for good.
func (c *companion) finish(then func()) {
	c.d.cancel(c.again)
	c.again, c.anew = nil, false
	c.stopped = then
	c.end()
}

// change gives it other arguments.
func (c *companion) change(argv []string) {
	if slices.Equal(c.argv, argv) {
		return
	}
	c.argv = argv
	c.end()
}

func (c *companion) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
	for _, file := range []string{c.pidFile(), c.pidFile() + ".new", c.fifo} {
		unix.Unlink(file)
	}
	c.d.cancel(c.again)
	then := c.stopped
	c.stopped = func() {}
	then()
}

// write hands it a line without ever waiting; false says there was no room.
func (c *companion) write(text []byte) bool {
	for {
		_, err := unix.Write(c.fd, text)
		if err != unix.EINTR {
			return err == nil
		}
	}
}
