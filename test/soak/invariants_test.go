package soak

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"taskmaster/lib/procfs"
	"taskmaster/test/faults/record"
	"taskmaster/test/tmtest"
)

// settleTime is how long everything may take to come to its wanted state
// after the last act.
const settleTime = 10 * time.Second

// noOverlap: at most one living copy of each instance, with all of its tree.
func (s *soak) noOverlap() {
	if twice := record.Overlaps(s.home); len(twice) > 0 {
		s.t.Fatalf("a second copy ran: %v", twice)
	}
}

// settle waits until every instance is in its wanted state.
func (s *soak) settle() {
	s.t.Helper()
	began, wrong := time.Now(), s.unsettled()
	for len(wrong) > 0 {
		if took := time.Since(began); took > settleTime+slack() {
			s.t.Fatalf("after %v these are not as they should be:\n%s", took, strings.Join(wrong, "\n"))
		}
		s.pause(20 * time.Millisecond)
		wrong = s.unsettled()
	}
	s.note("settled after %v", time.Since(began).Round(time.Millisecond))
}

// unsettled are the instances that are not in their wanted state, or of which
// tmd tells something else than their status.
func (s *soak) unsettled() []string {
	told := s.told()
	var wrong []string
	for _, name := range append(s.setup.names(), "missing:0") {
		status := s.Status(name)
		if state := status.State; !s.wanted(name, state) || told[name] != state {
			wrong = append(wrong, fmt.Sprintf("%s: wish %v, tmd says %s, status: %s", name, s.wish(name), told[name], status.Line()))
		}
		delete(told, name)
	}
	for name, state := range told {
		wrong = append(wrong, fmt.Sprintf("%s is %s and should not be there", name, state))
	}
	return wrong
}

func (s *soak) wish(name string) bool {
	up, commanded := s.wishes[name]
	return up || !commanded
}

func (s *soak) wanted(name, state string) bool {
	k := kindOf(name)
	switch {
	case k.name == "missing":
		return state == "FATAL"
	case !s.wish(name):
		return state == "STOPPED"
	case s.heldBack(name) && state == "STOPPED":
		return true
	case k.final != "":
		return state == k.final
	}
	return slices.Contains([]string{"STARTING", "RUNNING", "BACKOFF"}, state)
}

// told is what tmd says of the states.
func (s *soak) told() map[string]string {
	told := map[string]string{}
	for _, row := range strings.Split(s.Ctl("status", "-p").Stdout, "\n") {
		if words := strings.Split(row, "\t"); len(words) > 1 {
			told[words[0]] = words[1]
		}
	}
	// Those that come and go change between two looks.
	for name := range told {
		if kindOf(name).final == "" && s.wish(name) && kindOf(name).name != "missing" {
			told[name] = s.Status(name).State
		}
	}
	return told
}

// noLeaks: when all is quiet, tmd has no more descriptors than a new one, the
// state directory holds nothing but what is there, and nothing is a zombie.
func (s *soak) noLeaks() {
	s.t.Helper()
	var found string
	tmtest.Until(s.t, func() bool { found = s.zombies(); return found == "" }, "no zombie stays")
	s.onlyKnownFiles()
	s.noKeeperTwice()
	before := descriptors(s.tmd.PID())
	s.killTmd()
	s.settle()
	if after := descriptors(s.tmd.PID()); before > after+4 {
		s.t.Errorf("tmd had %d descriptors and a new one has %d", before, after)
	}
	for _, pid := range s.Children("tmsupervise") {
		if n := descriptors(pid); n > 24 {
			s.t.Errorf("helper %d has %d descriptors", pid, n)
		}
	}
}

// noKeeperTwice: there is one keeper for each that something needs.
func (s *soak) noKeeperTwice() {
	s.t.Helper()
	logs := 1 // the event log
	for _, k := range kinds {
		if strings.Contains(k.keys, "{file:") {
			logs++
		}
	}
	want := fmt.Sprintf("%d tmsupervise, %d tmlog, 1 tmmail", len(s.setup.names())+1, logs) // and `missing`
	tmtest.Until(s.t, func() bool {
		found := fmt.Sprintf("%d tmsupervise, %d tmlog, %d tmmail",
			len(s.Children("tmsupervise")), len(s.Children("tmlog")), len(s.Children("tmmail")))
		return found == want
	}, "there are %s", want)
}

// zombies are the children of our processes that nobody waits for.
func (s *soak) zombies() string {
	pids, _ := procfs.Pids()
	var found []int
	for _, pid := range pids {
		stat, err := procfs.ReadStat(pid)
		if err != nil || stat.State != 'Z' {
			continue
		}
		if stat.PPID == s.tmd.PID() || slices.Contains(s.Children("tmsupervise"), stat.PPID) {
			found = append(found, pid)
		}
	}
	return tmtest.Describe(found)
}

func descriptors(pid int) int {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	return len(entries)
}

// stateFile are the names that may be in the state directory.
var stateFile = regexp.MustCompile(`^(lock|address|boot|secret|events|run|log|taskmaster\.log(\.\d+)?|\.taskmaster\.log\.lock` +
	`|(eventlog|mail)(\.pid(\.new)?)?|log/[^/]+|run/(?P<instance>[^/]+)(/(spec|status|status\.new|control|lock|ready|order(\.new)?))?)$`)

func (s *soak) onlyKnownFiles() {
	names, instance := append(s.setup.names(), "missing:0"), stateFile.SubexpIndex("instance")
	for _, path := range s.files() {
		match := stateFile.FindStringSubmatch(path)
		if match == nil || match[instance] != "" && !slices.Contains(names, match[instance]) {
			s.t.Errorf("the state directory has %s", path)
		}
	}
}

// files are the paths below the state directory.
func (s *soak) files() []string {
	var found []string
	filepath.WalkDir(s.State, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != s.State {
			found = append(found, strings.TrimPrefix(path, s.State+"/"))
		}
		return nil
	})
	return found
}

// end shuts down; nothing may be left.
func (s *soak) end() {
	s.OK("shutdown")
	if code := s.tmd.Wait(); code != 0 {
		s.t.Errorf("tmd: exit %d", code)
	}
	left := s.Leftovers()
	if len(left) > 0 {
		s.t.Errorf("these are left:\n%s", tmtest.Describe(left))
	}
	for _, path := range s.files() {
		if !regexp.MustCompile(`^(lock|secret|run|log|taskmaster\.log(\.\d+)?|\.taskmaster\.log\.lock)$`).MatchString(path) {
			s.t.Errorf("the state directory still has %s", path)
		}
	}
	s.noOverlap()
}

// checkLines: every numbered line that was written is in the logs.
func (s *soak) checkLines() {
	for _, name := range everyName() {
		k := kindOf(name)
		if k.log == "" {
			continue
		}
		book := record.Book{}
		if err := book.Read(oldestFirst(s.Dir + "/" + k.log)...); err != nil {
			s.t.Error(err)
		}
		for _, wrong := range book.Check(s.home, name, k.twice, s.excused) {
			s.t.Error(wrong)
		}
	}
}

// oldestFirst are a log and its backups in the order of their lines.
func oldestFirst(path string) []string {
	files, _ := filepath.Glob(path + ".*")
	return append(record.OldestFirst(files), path)
}

// checkEvents: the event log tells of every life.
func (s *soak) checkEvents() {
	text := s.Log()
	if strings.Contains(text, " lost n=") {
		return // it counted what it does not tell
	}
	told := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^\S+ (\S+) (?:starting|adopted) pid=(\d+)`).FindAllStringSubmatch(text, -1) {
		told[match[1]+" "+match[2]] = true
	}
	for _, name := range everyName() {
		for _, token := range record.Lives(s.home, name) {
			if !s.untold[token] && !told[name+" "+strconv.Itoa(record.PID(token))] {
				s.t.Errorf("the event log does not tell that %s started as %s", name, token)
			}
		}
	}
}

// awaitLogAfter waits for text in the event log behind an offset.
func (s *soak) awaitLogAfter(offset int, text string) {
	s.t.Helper()
	tmtest.Until(s.t, func() bool {
		log := s.Log()
		return len(log) > offset && strings.Contains(log[offset:], text)
	}, "the event log has %q", text)
}

// slack is how much longer than usual this machine takes for everything now:
// a hundred times what it takes to run one program.
func slack() time.Duration {
	began := time.Now()
	exec.Command(tmtest.Bin("tmctl"), "help").Run()
	return 100 * time.Since(began)
}

// tell shows the acts of a failed run.
func (s *soak) tell() {
	if s.t.Failed() {
		s.t.Logf("the last acts:\n%s", strings.Join(s.log[max(0, len(s.log)-60):], "\n"))
	}
}

func (s *soak) summary(p *prober, length time.Duration) {
	total := 0
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		total += s.counts[name]
		parts = append(parts, fmt.Sprintf("%s %d", name, s.counts[name]))
	}
	lives := 0
	for _, name := range everyName() {
		lives += len(record.Lives(s.home, name))
	}
	fmt.Printf("soak: %v, %d acts, %d lives, %d answers of tmctl, slowest %v (%s)\n",
		length, total, lives, p.answers, p.slowest.Round(time.Millisecond), strings.Join(parts, ", "))
}

// outages are the times in which tmctl may not be answered: tmd was killed and
// the next one is not up, or it is stopped.
type outages struct {
	sync.Mutex
	open bool
	last time.Time // when the last one ended
}

func (o *outages) begin() {
	o.Lock()
	defer o.Unlock()
	o.open = true
}

func (o *outages) end() {
	o.Lock()
	defer o.Unlock()
	o.open, o.last = false, time.Now()
}

// touches reports whether an outage was at any time since then.
func (o *outages) touches(since time.Time) bool {
	o.Lock()
	defer o.Unlock()
	return o.open || o.last.After(since)
}

// A prober asks for the status all the time.
type prober struct {
	s       *soak
	done    chan struct{}
	once    sync.Once
	over    sync.WaitGroup
	answers int
	slowest time.Duration
}

func (s *soak) startProber() *prober {
	p := &prober{s: s, done: make(chan struct{})}
	p.over.Go(p.ask)
	return p
}

func (p *prober) stop() {
	p.once.Do(func() { close(p.done) })
	p.over.Wait()
}

// ask: tmctl answers within a second, or in what this machine needs for so
// many processes just now; unless there is no tmd to answer.
func (p *prober) ask() {
	for {
		select {
		case <-p.done:
			return
		case <-time.After(100 * time.Millisecond):
		}
		patience := time.Second + slack()
		began := time.Now()
		out, code := p.status()
		for code == unreachable && time.Since(began) < patience {
			out, code = p.status()
		}
		took := time.Since(began)
		if p.s.outage.touches(began) {
			continue
		}
		p.answers++
		p.slowest = max(p.slowest, took)
		if code != 0 && code != 3 || took > patience {
			p.s.t.Errorf("tmctl status: exit %d after %v: %s", code, took, out)
		}
	}
}

func (p *prober) status() (out []byte, code int) {
	out, err := exec.Command(tmtest.Bin("tmctl"), "-d", p.s.State, "status", "-p").CombinedOutput()
	return out, codeOf(err)
}

// unreachable is what tmctl exits with when it was not let in, for which it
// waits less than a second, whatever this machine needs.
const unreachable = 102

// codeOf is the exit code of a command, -1 when it has none.
func codeOf(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}
