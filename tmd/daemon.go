package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"taskmaster/lib/config"
	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A daemon is all that tmd knows. It belongs to the goroutine that runs loop;
// everyone else hands it functions by do.
type daemon struct {
	options options
	ready   readiness // whom to tell that clients are served

	requests chan os.Signal // HUP, USR1, USR2
	file     *config.File   // the configuration in effect
	dir      statedir.Dir
	home     string   // where our own programs are
	boot     string   // boot id
	env      []string // what tmd was started with
	null     int
	lock     int           // of the state directory
	gone     chan struct{} // closed when another tmd may take the state directory

	calls  chan func()
	timers timers
	timer  *time.Timer

	instances map[string]*instance
	inOrder   []*instance // the same, sorted; nil when they have changed since
	programs  map[string]*program
	listed    []*program // in the order of the file

	children *children
	watcher  *watcher
	prober   *prober
	events   *eventPipe
	log      *eventLog
	logs     map[string]*companion // by file
	mail     *mailer
	clients  *proto.Server
	listener net.Listener
	access   atomic.Pointer[access]
	audience map[*subscriber]bool

	oneReload sync.Mutex // not the loop's: held beside it while the file is read and until it is applied

	batch    batch          // starts that wait for others
	ranks    map[string]int // of the programs, as far as known (rankOf)
	descents []*descent     // stops that wait for others
	stopping bool           // all programs are being stopped, and then tmd
	quitting bool           // the loop ends
	leave    func()         // what is done at the very end, instead of an exit
	status   int            // exit code
}

func newDaemon(o options, file *config.File) *daemon {
	exe, err := os.Executable()
	if err != nil {
		die.Fatal(die.Temporary, "unable to read /proc/self/exe", err)
	}
	return &daemon{
		options: o, file: file, home: filepath.Dir(exe), boot: procfs.BootID(), env: cleanEnv(os.Environ()),
		calls: make(chan func(), 64), gone: make(chan struct{}), timer: time.NewTimer(time.Hour),
		instances: map[string]*instance{}, programs: map[string]*program{}, logs: map[string]*companion{},
		audience: map[*subscriber]bool{}, ranks: map[string]int{},
		batch: batch{
			held: map[*instance]string{}, unsettled: map[*instance]bool{}, awaited: map[*instance]bool{},
		},
	}
}

// cleanEnv leaves out what is ours alone or of an outer taskmaster.
func cleanEnv(env []string) []string {
	var kept []string
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case listenVariable, "TM_NAME", "TM_PROGRAM", "TM_NUM", "TM_STATE", "TM_EVENTS", "TM_NOTIFY_FD",
			"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID":
		default:
			kept = append(kept, entry)
		}
	}
	return kept
}

// run is the life of tmd; it returns the exit code.
func (d *daemon) run() int {
	d.openState()
	d.listen()
	d.children = newChildren(d)
	d.watcher = newWatcher(d)
	d.prober = newProber(d)
	d.events = openEvents(d)
	d.startLogs(d.file)
	d.inheritLogs()
	d.openEventLog()
	defer unblockStderr()()
	d.tell("started", "pid", itoa(os.Getpid()), "version", version)
	warnLimits(d.file)
	d.startMail(d.file.Settings.Mail)
	endings := holdSignals(unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	// Clients are let in while instances are found again, which may take
	// longer than tmctl waits; what they ask for waits for the loop.
	go d.serve(d.listener)
	d.attach()
	go d.listenSignals(d.requests)
	go d.listenSignals(endings)
	d.ready.tell()
	d.loop()
	return d.finish()
}

// openState makes the state directory ours, or exits.
func (d *daemon) openState() {
	path, err := stateDir(d.options, d.file)
	if err != nil {
		die.Fatal(die.Temporary, "unable to find the state directory", err)
	}
	if d.dir, err = statedir.Create(path); err != nil {
		die.Fatal(die.Usage, "unable to use state directory "+path, err)
	}
	d.takeLock()
	d.enterBoot()
	if d.null, err = unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		die.Fatal(die.Temporary, "unable to open /dev/null", err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		die.Fatal(die.Temporary, "unable to become a subreaper", err)
	}
}

// takeLock makes us the only tmd of the state directory, or exits. A fork of
// one that was killed just now has the lock until it execs: that is waited for.
func (d *daemon) takeLock() {
	lock, err := statedir.TryLock(d.dir.Lock())
	d.lock = lock
	if err == unix.EWOULDBLOCK {
		if pid, _ := statedir.Holder(d.dir.Lock()); pid > 0 {
			die.Fatal(die.Usage, "already running, pid "+itoa(pid)+" has "+string(d.dir), nil)
		}
		_, err = statedir.WaitLock(d.dir.Lock())
	}
	if err != nil {
		die.Fatal(die.Temporary, "unable to lock "+d.dir.Lock(), err)
	}
}

// enterBoot discards what another boot left: it describes processes that are
// no more. Nothing is written where nothing changes, since a tmd must be able
// to come back on a full disk.
func (d *daemon) enterBoot() {
	if d.boot == "" {
		// Without /proc every living program would be taken for dead.
		die.Fatal(die.Temporary, "unable to read the boot id: is /proc mounted?", nil)
	}
	was, err := os.ReadFile(d.dir.Boot())
	if err == nil && string(was) == d.boot {
		return
	}
	if err == nil {
		d.discard()
	} else {
		d.refuseSurvivors()
	}
	if err := statedir.Replace(d.dir.Boot(), []byte(d.boot)); err != nil {
		die.Fatal(die.Temporary, "unable to write "+d.dir.Boot(), err)
	}
}

func (d *daemon) discard() {
	for _, dir := range []string{d.dir.RunDir(), d.dir.LogDir()} {
		if err := os.RemoveAll(dir); err != nil {
			die.Fatal(die.Temporary, "unable to clear "+dir, err)
		}
	}
	if _, err := statedir.Create(string(d.dir)); err != nil {
		die.Fatal(die.Temporary, "unable to use state directory "+string(d.dir), err)
	}
}

// loop runs what others hand in and what is due, one at a time.
func (d *daemon) loop() {
	for !d.quitting {
		d.armTimer()
		select {
		case call := <-d.calls:
			call()
		case <-d.timer.C:
			d.runDue()
		}
	}
}

// do hands the loop a function; it may be called from any goroutine but the
// loop's own.
func (d *daemon) do(call func()) { d.calls <- call }

// serveLate runs what is still handed in once the loop has ended, so that
// nobody waits for it for ever.
func (d *daemon) serveLate() {
	for call := range d.calls {
		call()
	}
}

// ask runs a function in the loop and waits for it.
func (d *daemon) ask(call func()) {
	done := make(chan struct{})
	d.do(func() { call(); close(done) })
	<-done
}

// get reads a value that belongs to the loop.
func get[T any](d *daemon, read func() T) (value T) {
	d.ask(func() { value = read() })
	return value
}
