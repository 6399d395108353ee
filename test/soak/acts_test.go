package soak

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"taskmaster/lib/procfs"
	"taskmaster/test/faults/record"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// A soak is one run.
type soak struct {
	*tmtest.Host
	t      *testing.T
	random *rand.Rand
	home   string // of the accounts
	tmd    *tmtest.Tmd

	setup  setup
	wishes map[string]bool // of instances that a user started or stopped
	asleep map[process]time.Time

	excused map[string]bool // tokens of lives that may have lost their last words
	untold  map[string]bool // tokens of lives of which the event log may not tell
	log     []string        // the acts, for whoever looks at a failure
	counts  map[string]int  // how often each kind of act was done
	outage  outages
}

// A process is a pid that cannot be mistaken for a later one.
type process struct {
	pid   int
	start uint64
}

// acts and their weights.
var acts = []struct {
	name   string
	weight int
	do     func(*soak) string
}{
	{"kill tmd", 8, (*soak).killTmd},
	{"kill helper", 14, (*soak).killHelper},
	{"kill tmd and helpers", 3, (*soak).killTmdAndHelpers},
	{"kill all keepers", 2, (*soak).killKeepers},
	{"kill tmlog", 6, (*soak).killLogger},
	{"kill tmmail", 3, (*soak).killMail},
	{"kill program", 12, (*soak).killProgram},
	{"kill tree", 6, (*soak).killTree},
	{"stop and continue", 10, (*soak).sleepAny},
	{"command", 18, (*soak).command},
	{"kill starting tmd", 2, (*soak).killStartingTmd},
	{"change in the gap", 3, (*soak).changeInTheGap},
	{"kill reloading tmd", 3, (*soak).killReloadingTmd},
	{"cut shutdown short", 1, (*soak).cutShutdown},
	{"reload", 9, (*soak).reload},
	{"broken reload", 2, (*soak).brokenReload},
	{"upgrade", 3, (*soak).upgrade},
	{"leave and return", 2, (*soak).leave},
}

// act does one thing at random.
func (s *soak) act() {
	s.wakeSome()
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	n := s.random.IntN(total)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			s.counts[a.name]++
			s.note("%s: %s", a.name, a.do(s))
			return
		}
	}
}

func (s *soak) note(format string, args ...any) {
	s.log = append(s.log, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// killTmd kills it and starts the next one at once, or a moment later.
func (s *soak) killTmd() string {
	s.outage.begin()
	s.tmd.Kill()
	gap := time.Duration(s.random.IntN(3)) * 100 * time.Millisecond
	s.pause(gap)
	s.startTmd()
	return fmt.Sprintf("pid %d, next one %d after %v", s.tmd.PID(), s.tmd.PID(), gap)
}

func (s *soak) startTmd() {
	s.launchTmd()
	s.tmd.AwaitUp()
	s.outage.end()
}

// killStartingTmd kills one after the other at any moment of their start.
func (s *soak) killStartingTmd() string {
	s.outage.begin()
	s.tmd.Kill()
	n := 1 + s.random.IntN(4)
	for range n {
		s.launchTmd()
		s.pause(time.Duration(s.random.IntN(60)) * time.Millisecond)
		s.tmd.Kill()
	}
	s.startTmd()
	return fmt.Sprint(n)
}

// changeInTheGap changes the configuration while there is no tmd, and perhaps
// kills a helper besides.
func (s *soak) changeInTheGap() string {
	s.outage.begin()
	s.wakeAll()
	s.tmd.Kill()
	before := s.setup.names()
	what := s.setup.mutate(s.random)
	s.configure()
	if s.random.IntN(2) == 0 {
		what += ", kill " + s.killOne(s.Children("tmsupervise"))
	}
	s.startTmd()
	s.forgetRemoved(before)
	return what
}

// killReloadingTmd kills it somewhere in a reload; the next one reads the file
// that this one was told of.
func (s *soak) killReloadingTmd() string {
	s.wakeAll()
	before := s.setup.names()
	what := s.setup.mutate(s.random)
	s.configure()
	s.outage.begin()
	s.tmd.Signal(syscall.SIGHUP)
	s.pause(time.Duration(s.random.IntN(20000)) * time.Microsecond)
	s.tmd.Kill()
	s.killOne(s.Children("tmsupervise"))
	s.startTmd()
	s.forgetRemoved(before)
	return what
}

// cutShutdown kills a tmd that has begun to stop everything: the next one
// starts what should run, and may have forgotten what a user did.
func (s *soak) cutShutdown() string {
	s.outage.begin()
	s.wakeAll()
	s.tmd.Signal(syscall.SIGTERM)
	s.pause(time.Duration(s.random.IntN(400)) * time.Millisecond)
	unix.Kill(s.tmd.PID(), unix.SIGKILL) // unless it has ended by now
	s.tmd.Wait()
	s.startTmd()
	s.OK("start", "-n", "all")
	clear(s.wishes)
	return ""
}

func (s *soak) launchTmd() {
	s.tmd = s.Launch(exec.Command(tmtest.Bin("tmd"), "-c", s.Config, "-d", s.State))
}

func (s *soak) killHelper() string {
	var told []string
	for range 1 + s.random.IntN(3) {
		told = append(told, s.killOne(s.Children("tmsupervise")))
	}
	return fmt.Sprint(told)
}

func (s *soak) killTmdAndHelpers() string {
	s.outage.begin()
	helpers := s.Children("tmsupervise")
	s.random.Shuffle(len(helpers), func(i, j int) { helpers[i], helpers[j] = helpers[j], helpers[i] })
	helpers = helpers[:len(helpers)/2]
	for _, pid := range helpers[:len(helpers)/2] {
		unix.Kill(pid, unix.SIGKILL)
	}
	s.tmd.Kill()
	for _, pid := range helpers[len(helpers)/2:] {
		unix.Kill(pid, unix.SIGKILL)
	}
	s.killOne(s.programs()) // one that dies in the gap
	s.startTmd()
	return fmt.Sprint(helpers)
}

// killKeepers kills all that is ours. A pipe is gone with the last process that
// has it: of a program that dies before the next tmd comes, what no tmlog had
// read yet is lost, and what its helper had told but no tmd read.
func (s *soak) killKeepers() string {
	s.outage.begin()
	s.excuse()
	s.tmd.Kill()
	for _, name := range []string{"tmsupervise", "tmlog", "tmmail"} {
		for _, pid := range s.Children(name) {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
	died := s.killOne(s.programs())
	s.excuse()
	s.startTmd()
	return "and program " + died
}

// excuse lets the present lives off, and the log writer, which may have been
// stopped for long, all there were.
func (s *soak) excuse() {
	for _, name := range everyName() {
		lives := record.Lives(s.home, name)
		for i, token := range lives {
			s.untold[token] = true
			s.excused[token] = s.excused[token] || i == len(lives)-1
		}
	}
}

func (s *soak) killLogger() string  { return s.killOne(s.Children("tmlog")) }
func (s *soak) killMail() string    { return s.killOne(s.Children("tmmail")) }
func (s *soak) killProgram() string { return s.killOne(s.programs()) }

// programs are the pids that the status files name.
func (s *soak) programs() []int {
	var pids []int
	for _, name := range s.setup.names() {
		if status := s.Status(name); status.PID != 0 && procfs.Alive(status.PID, status.Start) {
			pids = append(pids, status.PID)
		}
	}
	return pids
}

func (s *soak) killOne(pids []int) string {
	if len(pids) == 0 {
		return "none"
	}
	slices.Sort(pids)
	pid := pids[s.random.IntN(len(pids))]
	what := tmtest.Describe([]int{pid})
	unix.Kill(pid, unix.SIGKILL)
	return what
}

// killTree kills a program and all below it.
func (s *soak) killTree() string {
	pids := s.programs()
	if len(pids) == 0 {
		return "none"
	}
	pid := pids[s.random.IntN(len(pids))]
	for _, p := range append(procfs.Descendants(pid), pid) {
		unix.Kill(p, unix.SIGKILL)
	}
	return fmt.Sprint(pid)
}

// sleepAny stops something for a while: a program, a helper, a tmlog, tmd.
func (s *soak) sleepAny() string {
	var pids []int
	switch s.random.IntN(6) {
	case 0, 1:
		pids = s.programs()
	case 2, 3:
		pids = s.Children("tmsupervise")
	case 4:
		pids = s.Children("tmlog")
	case 5:
		pids = []int{s.tmd.PID()}
		s.outage.begin()
	}
	if len(pids) == 0 {
		return "none"
	}
	pid := pids[s.random.IntN(len(pids))]
	p := process{pid, tmtest.StartOf(pid)}
	unix.Kill(pid, unix.SIGSTOP)
	s.asleep[p] = time.Now().Add(time.Duration(100+s.random.IntN(2000)) * time.Millisecond)
	return tmtest.Describe([]int{pid})
}

// wakeSome continues those whose time is over.
func (s *soak) wakeSome() {
	for p, until := range s.asleep {
		if time.Now().After(until) {
			s.wake(p)
		}
	}
}

func (s *soak) wakeAll() {
	for p := range s.asleep {
		s.wake(p)
	}
}

func (s *soak) wake(p process) {
	delete(s.asleep, p)
	if procfs.Alive(p.pid, p.start) {
		unix.Kill(p.pid, unix.SIGCONT)
	}
	if p.pid == s.tmd.PID() {
		s.outage.end()
	}
}

// wakeTmd: what follows needs a tmd that answers.
func (s *soak) wakeTmd() {
	for p := range s.asleep {
		if p.pid == s.tmd.PID() {
			s.wake(p)
		}
	}
}

// command is a user's start, stop or restart of one instance.
func (s *soak) command() string {
	s.wakeTmd()
	names := s.setup.names()
	name := names[s.random.IntN(len(names))]
	verb := []string{"start", "stop", "restart", "start"}[s.random.IntN(4)]
	if verb != "stop" && s.heldBack(name) {
		return "none: " + name + " waits for what was stopped"
	}
	s.OK(verb, "-n", name)
	s.wishes[name] = verb != "stop"
	return verb + " " + name
}

// OK asks again when tmctl, which waits less than a second to be let in, gave up:
// how long tmd may take on this machine is for the prober to judge.
func (s *soak) OK(args ...string) string {
	s.t.Helper()
	for patience := time.Now().Add(time.Second + slack()); time.Now().Before(patience); {
		if s.Ctl("pid").Code != unreachable {
			break
		}
	}
	return s.Host.OK(args...)
}

// heldBack reports whether an instance comes after one that was stopped: its
// start is refused, and a new one waits.
func (s *soak) heldBack(name string) bool {
	before := kindOf(name).after
	return before != "" && slices.ContainsFunc(s.setup.names(), func(other string) bool {
		return kindOf(other).name == before && !s.wish(other)
	})
}

func (s *soak) configure() { s.Write(s.setup.yaml(s.Dir, s.home, "127.0.0.1:9")) }

// reload changes the configuration. It is waited for until tmd has taken it,
// so that what follows meets the new one.
func (s *soak) reload() string {
	s.wakeAll() // a log writer too
	before := s.setup.names()
	what := s.setup.mutate(s.random)
	s.configure()
	taken := len(s.Log())
	s.tmd.Signal(syscall.SIGHUP)
	s.awaitLogAfter(taken, " tmd reload by=HUP ")
	s.forgetRemoved(before)
	return what
}

// forgetRemoved: what is added again starts by itself.
func (s *soak) forgetRemoved(before []string) {
	for _, name := range before {
		if !slices.Contains(s.setup.names(), name) {
			delete(s.wishes, name)
		}
	}
}

// brokenReload writes a file with a mistake, which must change nothing.
func (s *soak) brokenReload() string {
	s.wakeTmd()
	s.Write("programs: {plain: {cmd: x, numproc: 2}}\n")
	if r := s.Ctl("reload"); r.Code == 0 {
		s.t.Fatalf("a broken file was taken: %s", r.Stdout)
	}
	s.configure()
	return ""
}

// upgrade replaces tmd by itself.
func (s *soak) upgrade() string {
	s.wakeTmd()
	s.outage.begin()
	s.OK("upgrade")
	s.tmd.AwaitUp()
	s.outage.end()
	return ""
}

// leave is shutdown -k and a new tmd.
func (s *soak) leave() string {
	s.wakeTmd()
	s.outage.begin()
	s.OK("shutdown", "-k")
	if code := s.tmd.Wait(); code != 0 {
		s.t.Fatalf("shutdown -k: tmd: exit %d", code)
	}
	s.startTmd()
	return ""
}
