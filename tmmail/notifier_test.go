package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/peek"
)

// A desk is a notifier with a clock of its own and a server that is a list:
// what is sent is taken or deferred at once.
type desk struct {
	*notifier
	t    *testing.T
	now  time.Time
	sent []*letter
	down bool // the server defers everything
}

func newDesk(t *testing.T, change func(*settings)) *desk {
	t.Helper()
	s := defaultSettings()
	s.Host, s.State, s.To = "host", "", []string{"ops@example.org"}
	s.From = "from@example.org"
	s.Spool = filepath.Join(t.TempDir(), "spool")
	if change != nil {
		change(s)
	}
	sp, err := openSpool(s.Spool)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, now: time.Now()}
	d.begin(s, sp)
	return d
}

// begin makes a notifier on the spool, as a start of tmmail does.
func (d *desk) begin(s *settings, sp spool) {
	d.notifier = newNotifier(d.now, s, sp)
	d.send = func(*letter) {}
	d.work()
}

// restart is a death without warning and a new start, pause later.
func (d *desk) restart(pause time.Duration) {
	d.now = d.now.Add(pause)
	d.begin(d.settings, d.spool)
}

func (d *desk) work() {
	for {
		d.wake(d.now)
		if d.sending == nil {
			return
		}
		l := d.sending
		if d.down {
			d.settle(d.now, delivery{letter: l, verdicts: all(l.To, deferred, "down")})
			continue
		}
		d.sent = append(d.sent, l)
		d.settle(d.now, delivery{letter: l, verdicts: all(l.To, sent, "")})
	}
}

// pass lets time pass, stopping at each deadline.
func (d *desk) pass(span time.Duration) {
	end := d.now.Add(span)
	for {
		at := d.deadline(d.now)
		if at.IsZero() || at.After(end) {
			break
		}
		if at.After(d.now) {
			d.now = at
		}
		d.work()
	}
	d.now = end
	d.work()
}

func (d *desk) hear(lines ...string) {
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "%s %s\n", d.now.UTC().Format("2006-01-02T15:04:05.000Z"), line)
	}
	d.takeIn(d.now, []byte(text.String()), false)
	d.work()
}

func (d *desk) subjects() string {
	var all []string
	for _, l := range d.sent {
		all = append(all, strings.TrimPrefix(l.Subject, "[host] "))
	}
	return strings.Join(all, "; ")
}

func (d *desk) want(subjects ...string) {
	d.t.Helper()
	if got, want := d.subjects(), strings.Join(subjects, "; "); got != want {
		d.t.Errorf("mails\n  %s\nwant\n  %s", got, want)
	}
}

const exited = "web:0 exited pid=10 code=1 expected=no uptime=5 left=0"

func TestGroupWait(t *testing.T) {
	d := newDesk(t, nil)
	d.hear(exited, "web:0 backoff try=3 wait=8")
	d.pass(9 * time.Second)
	d.want()
	d.pass(time.Second)
	d.want("web:0 exited 1 (restart 3, next try in 8 s)")
}

func TestOneStoryPerInterval(t *testing.T) {
	d := newDesk(t, nil)
	for range 50 {
		d.hear(exited, "web:0 backoff try=1 wait=1")
		d.pass(time.Second)
		d.hear("web:0 starting pid=11 try=1 cause=retry", "web:0 running pid=11")
		d.pass(time.Second)
	}
	d.pass(10 * time.Minute)
	d.want("web:0 exited 5 times in 9 s, last: exited 1 (restart 5, running again)",
		"web:0 exited 45 times in 1 min 29 s, last: exited 1 (restart 50, running again)")
}

func TestRecoveredOnce(t *testing.T) {
	d := newDesk(t, nil)
	d.hear("web:0 fatal try=4 reason=no%20such%20file", "db:0 running pid=9")
	d.pass(10 * time.Second)
	d.hear("web:0 starting pid=12 try=1 cause=user")
	d.restart(time.Second)
	d.hear("web:0 running pid=12")
	d.pass(time.Hour)
	d.hear("web:0 running pid=12")
	d.pass(time.Hour)
	d.want("web:0 gave up after 4 tries: no such file", "web:0 recovered")
	if n := len(d.groups); n != 0 {
		t.Errorf("%d groups are remembered for nothing", n)
	}
}

func TestFilter(t *testing.T) {
	d := newDesk(t, func(s *settings) { s.Instances = []string{"web", "d?:[!02]"} })
	d.hear("web:0 exited pid=10 code=0 expected=yes uptime=5 left=0", "web:0 stopping pid=10", "db:2 fatal try=4",
		"tmd mail to=ops@example.org subject=x result=failed reason=y", "cache:0 fatal try=4", "tmd reloadfail reason=x", "db:1 fatal try=4")
	d.pass(time.Hour)
	d.want("db:1 gave up after 4 tries")
}

func TestReportedHealth(t *testing.T) {
	d := newDesk(t, nil)
	d.hear("web:0 unhealthy reason=3%20checks%20failed:%20GET%20/health:%20503 action=report",
		"db:0 unhealthy reason=3%20checks%20failed:%20GET%20/:%20503 action=restart")
	d.pass(time.Hour)
	d.want("web:0 is unhealthy: 3 checks failed: GET /health: 503")
}

func TestMailEventsAreNeverMailed(t *testing.T) {
	d := newDesk(t, func(s *settings) { s.Events = []string{"mail"} })
	d.hear("tmd mail to=ops@example.org subject=x result=failed reason=y")
	d.pass(time.Hour)
	d.want()
}

func TestLostEventsAreSaid(t *testing.T) {
	d := newDesk(t, nil)
	d.hear("tmd lost n=30 what=mail", "tmd lost n=7 what=mail", "tmd lost n=1 what=watch", exited)
	d.pass(10 * time.Second)
	if body := string(d.sent[0].Text); !strings.Contains(body, "37 events did not get here") {
		t.Errorf("the mail does not tell of lost events:\n%s", body)
	}
	d.hear("db:0 fatal try=4")
	d.pass(10 * time.Second)
	if body := string(d.sent[1].Text); strings.Contains(body, "did not get here") {
		t.Errorf("lost events are told twice:\n%s", body)
	}
}

func TestLimitPerHour(t *testing.T) {
	d := newDesk(t, func(s *settings) { s.MaxPerHour = 3 })
	for i := range 6 {
		d.hear(fmt.Sprintf("p%d:0 fatal try=4 reason=x", i))
	}
	d.pass(10 * time.Second)
	last := "news of 4 programs, held back by the limit of 3 mails in an hour: p2, p3, p4, p5"
	d.want("p0:0 gave up after 4 tries: x", "p1:0 gave up after 4 tries: x", last)
	if body := string(d.sent[2].Text); !strings.Contains(body, "4 mails were held back") || !strings.Contains(body, "This is the last of 3 mails") {
		t.Errorf("the last mail does not say so:\n%s", body)
	}
	d.hear("q:0 fatal try=4 reason=y", "r:0 fatal try=4 reason=z")
	d.restart(time.Minute) // a restart does not forget the count
	d.pass(58 * time.Minute)
	if len(d.sent) != 3 {
		t.Fatalf("a mail too many: %s", d.subjects())
	}
	d.pass(2 * time.Minute)
	if len(d.sent) != 5 {
		t.Errorf("what was held back did not come: %s", d.subjects())
	}
}

// Times that were saved by a clock that has been set back since are to come
// yet: they count as now, so that nothing waits until then.
func TestClockSetBack(t *testing.T) {
	d := newDesk(t, func(s *settings) { s.MaxPerHour = 1 })
	d.hear("p:0 fatal try=4 reason=x")
	d.pass(10 * time.Second)
	d.hear("q:0 fatal try=4 reason=x")
	d.restart(-48 * time.Hour)
	d.pass(61 * time.Minute)
	d.want("p:0 gave up after 4 tries: x", "q:0 gave up after 4 tries: x")
}

// What fails a moment after the last mail that the hour allows would be due is
// told by it, not an hour later.
func TestLastOfTheHourTellsWhatIsYoung(t *testing.T) {
	d := newDesk(t, func(s *settings) { s.MaxPerHour = 2 })
	for i := range 5 {
		d.hear(fmt.Sprintf("p%d:0 fatal try=4 reason=x", i))
		d.pass(time.Second)
	}
	d.pass(6 * time.Second)
	d.hear("p0:0 fatal try=4 reason=y") // p0 had its mail
	d.pass(time.Minute)
	d.want("p0:0 gave up after 4 tries: x", "news of 4 programs, held back by the limit of 2 mails in an hour: p1, p2, p3, p4")
}

func TestStoryIsFolded(t *testing.T) {
	d := newDesk(t, nil)
	for i := range 20 {
		var lines []string
		for j := range 50 {
			lines = append(lines, fmt.Sprintf("web:%d exited pid=%d code=1 expected=no uptime=5 left=0", (50*i+j)%200, 50*i+j))
		}
		d.hear(lines...)
	}
	if info, err := os.Stat(d.spool.path("group", "web")); err != nil || info.Size() > 200<<10 {
		t.Errorf("the file of the story: %v, %v", info.Size(), err)
	}
	d.pass(10 * time.Second)
	d.want("web: 200 processes in trouble (200 exited)")
	body := string(d.sent[0].Text)
	for _, want := range []string{"1000 events:", "... 950 events more, not listed ...", "And in short:\n  web:10 exited 5 times in 0 s, last: exited 1", "and 90 processes more"} {
		if !strings.Contains(body, want) {
			t.Errorf("the mail does not say %q", want)
		}
	}
}

func TestRetrySchedule(t *testing.T) {
	for tries, want := range map[int]time.Duration{1: 5 * time.Second, 2: 30 * time.Second, 3: time.Minute,
		4: 2 * time.Minute, 8: 32 * time.Minute, 9: time.Hour, 1000: time.Hour} {
		lowest, highest := want*8/10, want*12/10
		for range 100 {
			if got := retryDelay(tries); got < lowest || got > highest {
				t.Fatalf("after %d tries %v, want %v to %v", tries, got, lowest, highest)
			}
		}
	}
}

func TestGivenUpAfterFiveDays(t *testing.T) {
	d := newDesk(t, nil)
	d.down = true
	d.hear(exited)
	d.pass(5*24*time.Hour - time.Hour)
	if len(d.queue) != 1 || d.queue[0].tries < 100 {
		t.Fatalf("the queue holds %d mails", len(d.queue))
	}
	d.restart(0) // the age outlives a restart
	d.pass(3 * time.Hour)
	if len(d.queue) != 0 {
		t.Error("still in the queue after 5 days")
	}
	names := d.spool.list("failed")
	if len(names) != 1 {
		t.Fatalf("failed/ holds %v", names)
	}
	content, err := d.spool.read("failed", names[0])
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLetter(content)
	if err != nil || len(l.Why) != 1 || !strings.Contains(l.Why[0], "given up after 5 days: down") {
		t.Errorf("%+v, %v", l, err)
	}
}

func TestEndOfInput(t *testing.T) {
	d := newDesk(t, nil)
	d.down = true
	d.hear(exited, "db:0 fatal try=4 reason=x")
	d.close()
	d.work()
	if !d.done() || d.empty() || len(d.queue) != 2 {
		t.Errorf("done %v, empty %v, queue %d", d.done(), d.empty(), len(d.queue))
	}
	for _, l := range d.queue {
		if l.tries != 1 {
			t.Errorf("tried %d times", l.tries)
		}
	}
	d.down = false
	d.restart(time.Second)
	if len(d.sent) != 2 || !d.empty() {
		t.Errorf("after a restart: %s", d.subjects())
	}
}

// A mail was made and is in the queue, but the death came before the story's
// file was brought up to date.
func TestDeathBetweenMailAndStory(t *testing.T) {
	d := newDesk(t, nil)
	d.down = true
	d.hear(exited)
	story, err := d.spool.read("group", "web")
	if err != nil {
		t.Fatal(err)
	}
	d.pass(10 * time.Second)
	if err := d.spool.write("group", "web", story); err != nil {
		t.Fatal(err)
	}
	d.down = false
	d.restart(time.Second)
	d.pass(time.Hour)
	d.want("web:0 exited 1 (not started again)")
}

// A chunk was taken in, but the death came before it was taken from the pipe.
func TestDeathBetweenStoryAndPipe(t *testing.T) {
	d := newDesk(t, nil)
	piece := []byte("2026-11-22T15:10:44.002Z " + exited + "\n")
	d.takeIn(d.now, piece, false)
	d.restart(time.Second)
	more := []byte("2026-11-22T15:10:45.000Z web:0 fatal try=1\n")
	d.takeIn(d.now, piece, true)
	d.takeIn(d.now, more, false)
	if got := d.groups["web"].Story.Count; got != 2 {
		t.Errorf("the story has %d events, want 2", got)
	}
}

// Nor does a group go that has told and forgotten the chunk meanwhile.
func TestChunkComesAgainAfterItsMail(t *testing.T) {
	d := newDesk(t, func(s *settings) { s.GroupWait, s.GroupInterval = 0, 0 })
	piece := []byte("2026-11-22T15:10:44.002Z tmd reloadfail reason=x\n")
	d.spool.beginTaking(markOf(piece))
	d.takeIn(d.now, piece, false)
	d.restart(time.Minute)
	d.want("tmd could not reload its configuration: x")
	d.takeIn(d.now, piece, true)
	d.unfinished = ""
	d.pass(time.Minute)
	d.want("tmd could not reload its configuration: x")
	if len(d.groups) != 0 {
		t.Error("the group is kept")
	}
}

// Its mark is not written again: a SIGKILL over that would lose it, and all
// that was taken in would come twice.
func TestMarkOfWhatComesAgainStays(t *testing.T) {
	d := newDesk(t, nil)
	piece := []byte("2026-11-22T15:10:44.002Z " + exited + "\n")
	d.spool.beginTaking(markOf(piece))
	written := func() os.FileInfo {
		info, err := os.Stat(d.spool.path("taking"))
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	before := written()
	l := &loop{in: &intake{pipe: new(peek.Pipe)}, n: d.notifier}
	l.takeIn(piece, true)
	if after := written(); !after.ModTime().Equal(before.ModTime()) || d.spool.taking() != markOf(piece) {
		t.Error("the mark was written again")
	}
}

// A spool that cannot be written holds up no mail and recovers unaided.
func TestSpoolRefuses(t *testing.T) {
	d := newDesk(t, nil)
	tmp := d.spool.path("tmp")
	if err := errors.Join(os.Remove(tmp), os.WriteFile(tmp, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	d.hear(exited)
	if d.safe() {
		t.Fatal("an event is called safe that is not on disk")
	}
	d.pass(10 * time.Second)
	d.want("web:0 exited 1 (not started again)")
	if !d.safe() {
		t.Error("a mail that is delivered holds up the input")
	}
	d.hear("db:0 fatal try=4")
	if d.safe() {
		t.Error("an event is called safe that is not on disk")
	}
	if err := os.Remove(tmp); err != nil { // it is made again
		t.Fatal(err)
	}
	d.pass(time.Minute)
	if !d.safe() {
		t.Error("did not recover")
	}
	d.restart(0)
	if d.groups["web"] == nil || !d.groups["web"].Members["web:0"].Reported {
		t.Error("what happened meanwhile did not reach the disk")
	}
}

func TestUnreadableSpoolFiles(t *testing.T) {
	d := newDesk(t, nil)
	for _, path := range []string{"group/web", "queue/1", "hour"} {
		if err := os.WriteFile(d.spool.path(path), []byte("{not ours"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.restart(0)
	d.hear(exited)
	d.pass(10 * time.Second)
	d.want("web:0 exited 1 (not started again)")
	if names := strings.Join(d.spool.list("failed"), " "); names != "unreadable.1 unreadable.web" {
		t.Errorf("set aside: %s", names)
	}
}

func TestSpoolInUse(t *testing.T) {
	d := newDesk(t, nil)
	if _, err := openSpool(d.Spool); err != errSpoolInUse {
		t.Errorf("a second tmmail: %v", err)
	}
	open := t.TempDir() // 0755
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openSpool(open); err == nil {
		t.Error("a spool that others can read was accepted")
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := openSpool(filepath.Join(open, "spool")); err == nil {
		t.Error("a spool was accepted that others can put another in the place of")
	}
}
