package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"taskmaster/lib/die"
	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// pausePoints are where a helper of the test build stops itself around a fork.
var pausePoints = []string{"before", "recorded", "forked", "published", "sent"}

// killAt starts the program with a helper that stops itself at a point, kills
// that helper there, and starts another.
func (r *rig) killAt(point string) {
	r.t.Helper()
	plain := r.env
	r.path, r.env = pausingPath, append(r.env[:len(r.env):len(r.env)], "TM_PAUSE="+point)
	r.begin()
	r.tell("start seq=1 cause=boot")
	eventually(r.t, "the helper stops at "+point, func() bool { return stateOf(r.helper.Process.Pid) == 'T' })
	r.kill()
	r.path, r.env = helperPath, plain
	r.tell("start seq=1 cause=boot") // as tmd does, which does not know how far it came
	r.beginAgain()
}

// Killed at each point around the fork, the helper leaves a program that the
// next one finds: never a second copy, which the program itself would notice
// by its lock, and no start that is lost.
func TestKilledAroundFork(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		for _, point := range pausePoints {
			t.Run(fmt.Sprintf("%s, staged %v", point, staged), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				lock := r.file("lock")
				r.spec.Cmd = []string{tamePath, "hold", lock}
				r.spec.NoNewPrivs = staged
				r.killAt(point)
				pid := readNumber(t, lock+".pid")
				s := r.comesTo("RUNNING")
				if s.PID != pid || !alive(pid) {
					t.Errorf("status names %d, the program is %d", s.PID, pid)
				}
				r.tell("stop seq=2")
				r.comesTo("STOPPED")
				eventually(t, "the end of the program", func() bool { return !alive(pid) })
				if _, err := os.Stat(lock + ".second"); err == nil {
					t.Error("a second copy was started")
				}
			})
		}
	}
}

// The end of a program is told after its next start was begun, and by the
// record of that if the helper does not live to tell it.
func TestKilledBeforeItTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	lock := r.file("lock")
	r.spec.Cmd, r.spec.Restart = []string{tamePath, "hold", lock}, spec.Always
	plain := r.env
	r.path, r.env = pausingPath, append(r.env[:len(r.env):len(r.env)], "TM_PAUSE=recorded")
	r.begin()
	helper := r.helper.Process.Pid
	stops := func() bool { return stateOf(helper) == 'T' }
	r.tell("start seq=1 cause=boot")
	eventually(t, "the helper stops", stops)
	unix.Kill(helper, unix.SIGCONT)
	pid := r.expect(event.Running).Int("pid")
	unix.Kill(pid, unix.SIGKILL)
	eventually(t, "the helper stops again", stops)
	r.kill()
	if s := r.status(); s.Event.Kind != event.Exited || s.Event.Int("pid") != pid || s.Since == 0 {
		t.Errorf("the record does not tell the end of %d: %s", pid, s.Line())
	}
	r.path, r.env = helperPath, plain
	r.beginAgain()
	if s := r.comesTo("RUNNING"); s.PID == pid {
		t.Errorf("still pid %d", pid)
	}
	if _, err := os.Stat(lock + ".second"); err == nil {
		t.Error("a second copy was started")
	}
}

// TestCannotWait takes the open files from a helper that polls more of them
// than it may have: it ends, where it would turn around for ever and be deaf.
func TestCannotWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, "sleep", "1000").begin()
	r.tell("start seq=1 cause=boot")
	pid := r.expect(event.Running).Int("pid")
	few := unix.Rlimit{Cur: 3, Max: 3}
	if err := unix.Prlimit(r.helper.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	r.tell("reload")
	if code := r.ended(); code != 111 || !strings.Contains(r.said(), "tmsupervise x:0: fatal: unable to wait: invalid argument") {
		t.Errorf("exit code %d, and it said %q", code, r.said())
	}
	r.beginAgain()
	r.tell("restart seq=2 cause=user")
	if e := r.expect(event.Running); e.Int("pid") == pid || alive(pid) {
		t.Errorf("restarted as %v beside pid %d", e, pid)
	}
}

// TestKilledAroundFork with programs that overwrite their environment to show a title.
func TestKilledAroundForkOfRealPrograms(t *testing.T) {
	t.Parallel()
	programs := map[string]func(*testing.T) ([]string, string){"nginx": nginxCommand, "redis": redisCommand}
	for name, command := range programs {
		for _, point := range []string{"recorded", "forked"} {
			t.Run(name+" "+point, func(t *testing.T) {
				t.Parallel()
				words, socket := command(t)
				r := newRig(t, words...)
				r.killAt(point)
				pid := r.comesTo("RUNNING").PID
				eventually(t, "an answer", func() bool { return answers(socket) })
				if procfs.HasEnvKey(pid, "TM_NAME") && point == "forked" {
					t.Logf("%s has kept its environment", name)
				}
				r.kill()
				r.beginAgain()
				if got := r.expect(event.Adopted); got.Int("pid") != pid {
					t.Errorf("adopted %d, want %d", got.Int("pid"), pid)
				}
				r.tell("stop")
				r.comesTo("STOPPED")
				for _, left := range r.kin() {
					if left != r.helper.Process.Pid {
						t.Errorf("pid %d is left: %s", left, procfs.Executable(left))
					}
				}
				if answers(socket) {
					t.Error("something still answers")
				}
			})
		}
	}
}

func answers(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// onlyNginx is held by a test that runs nginx: one whose helper is killed as
// it starts could not be told from another's, both being children of this
// process and without their environment.
var onlyNginx sync.Mutex

func nginxCommand(t *testing.T) (words []string, socket string) {
	onlyNginx.Lock()
	t.Cleanup(onlyNginx.Unlock)
	dir := shortDir(t)
	conf := `daemon off; pid ` + dir + `/pid; error_log ` + dir + `/error.log; worker_processes 2;
events { worker_connections 16; }
http { access_log off; server { listen unix:` + dir + `/s; return 200 "here"; }
client_body_temp_path ` + dir + `/a; proxy_temp_path ` + dir + `/b; fastcgi_temp_path ` + dir + `/c; uwsgi_temp_path ` + dir + `/d; scgi_temp_path ` + dir + `/e; }
`
	if err := os.WriteFile(dir+"/conf", []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"nginx", "-c", dir + "/conf", "-e", dir + "/error.log"}, dir + "/s"
}

var onlyRedis sync.Mutex // likewise

func redisCommand(t *testing.T) (words []string, socket string) {
	onlyRedis.Lock()
	t.Cleanup(onlyRedis.Unlock)
	dir := shortDir(t)
	return []string{"redis-server", "--port", "0", "--unixsocket", dir + "/s", "--save", "", "--dir", dir}, dir + "/s"
}

// shortDir has a path that fits into the address of a socket (unix(7)).
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tms")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// pretend writes the status that a dead helper could have left.
func (r *rig) pretend(change func(*statedir.Status)) {
	r.t.Helper()
	s := statedir.Status{
		Event: event.New(time.Now(), "x:0", event.Starting, "pid", "0", "since", "1"),
		State: "STARTING", Wish: statedir.WishUp, Boot: procfs.BootID(), Seq: 1, Began: 1, Since: procfs.Ticks(),
	}
	change(&s)
	if err := statedir.Replace(r.run.Status(), s.Line()); err != nil {
		r.t.Fatal(err)
	}
}

// stray starts a process that leads its session, as a program does.
func (r *rig) stray(words ...string) int {
	r.t.Helper()
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = r.spec.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	r.t.Cleanup(func() {
		cmd.Process.Kill()
		<-done
	})
	return cmd.Process.Pid
}

// When more than one process may be the program, nothing is started, and the
// detail names them; a start by hand looks again.
func TestTwoCandidates(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	r.pretend(func(*statedir.Status) {})
	one, two := r.stray("/bin/sleep", "1000"), r.stray("/bin/sleep", "1000")
	r.begin()
	reason := r.expect(event.Fatal).Get("reason")
	want := "cannot tell which process is the program, started nothing: pids"
	if !strings.HasPrefix(reason, want) || !strings.Contains(reason, fmt.Sprint(" ", one)) || !strings.Contains(reason, fmt.Sprint(" ", two)) {
		t.Errorf("reason %q", reason)
	}
	r.tell("start seq=2")
	r.expect(event.Fatal)
	r.tell("stop seq=3")
	r.comesTo("STOPPED")
	r.tell("restart seq=4")
	r.expect(event.Fatal)
	unix.Kill(two, unix.SIGKILL)
	eventually(t, "one is gone", func() bool { return !procfs.Exists(two) })
	r.tell("start seq=5")
	if pid := r.expect(event.Adopted).Int("pid"); pid != one {
		t.Errorf("adopted %d, want %d", pid, one)
	}
	if s := r.comesTo("RUNNING"); s.PID != one || s.Since != 0 {
		t.Errorf("pid %d since %d", s.PID, s.Since)
	}
}

// A helper that has no descriptor to look by starts nothing: it ends, and the
// next one finds the program.
func TestCannotLook(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	r.pretend(func(*statedir.Status) {})
	one, two := r.stray("/bin/sleep", "1000"), r.stray("/bin/sleep", "1000")
	r.begin()
	r.expect(event.Fatal)
	none := unix.Rlimit{Cur: 8, Max: 8} // fewer than it has open, but as many as it polls
	if err := unix.Prlimit(r.helper.Process.Pid, unix.RLIMIT_NOFILE, &none, nil); err != nil {
		t.Fatal(err)
	}
	unix.Kill(two, unix.SIGKILL)
	eventually(t, "one is gone", func() bool { return !procfs.Exists(two) })
	r.tell("start seq=2")
	eventually(t, "the helper ends", func() bool { return !alive(r.helper.Process.Pid) })
	if code := r.ended(); code != die.Temporary || !strings.Contains(r.said(), "unable to look for the program: too many open files") {
		t.Errorf("exit %d, said %q", code, r.said())
	}
	r.beginAgain()
	if pid := r.expect(event.Adopted).Int("pid"); pid != one {
		t.Errorf("adopted %d, want %d", pid, one)
	}
}

// A helper that has too few descriptors to look at the program that a status
// names, wherever it runs out of them, does not take it for gone.
func TestAdoptWithFewDescriptors(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	one := r.stray("/bin/sleep", "1000")
	started, err := procfs.ReadStat(one)
	if err != nil {
		t.Fatal(err)
	}
	r.pretend(func(s *statedir.Status) { s.State, s.PID, s.Start, s.Since = "RUNNING", one, started.Start, 0 })
	was := r.status()
	tooFew, enough := 0, false
	for few := 4; !enough; few++ {
		if err := statedir.Replace(r.run.Status(), was.Line()); err != nil {
			t.Fatal(err)
		}
		r.path = script(t, fmt.Sprintf("#!/bin/sh\nulimit -n %d\nexec %s \"$@\"\n", few, helperPath))
		r.begin()
		eventually(t, "the helper ends or adopts", func() bool {
			r.mutex.Lock()
			defer r.mutex.Unlock()
			enough = len(r.events) > 0
			return enough || !alive(r.helper.Process.Pid)
		})
		if !enough {
			tooFew++
			r.ended()
		}
	}
	if e := r.expect(event.Adopted); e.Int("pid") != one || tooFew == 0 {
		t.Errorf("adopted %s, ended %d times", e.String(), tooFew)
	}
}

// A process that another instance's status names, that is older than the
// record, that belongs to another instance or is another program is not taken.
func TestNoCandidates(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	old := r.stray("/bin/sleep", "1000")
	started, err := procfs.ReadStat(old)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next tick", func() bool { return procfs.Ticks() > started.Start })
	since := procfs.Ticks()
	named := r.stray("/bin/sleep", "1000")
	env := r.spec.Env
	r.spec.Env = []string{"TM_NAME=x:1", "TM_STATE=" + r.spec.State}
	r.stray("/bin/sleep", "1000")
	r.spec.Env = nil
	r.stray("/bin/cat", "/dev/ptmx")
	r.spec.Env = env
	s, err := procfs.ReadStat(named)
	if err != nil {
		t.Fatal(err)
	}
	r.pretend(func(s *statedir.Status) { s.Since = since })
	other := r.run.State().Run("x:1")
	if err := other.Create(); err != nil {
		t.Fatal(err)
	}
	status := statedir.Status{Event: event.New(time.Now(), "x:1", event.Running), State: "RUNNING", PID: named, Start: s.Start, Boot: procfs.BootID()}
	if err := statedir.Replace(other.Status(), status.Line()); err != nil {
		t.Fatal(err)
	}
	r.begin()
	if e := r.expect(event.Starting); e.Get("cause") != "retry" {
		t.Error(e.String())
	}
	if got := r.comesTo("RUNNING").PID; got == old || got == named {
		t.Error("a stranger was taken for the program")
	}
}

// A program without its environment that another helper keeps, of another
// state directory, is not taken for the lost one.
func TestNoCandidateOfAnotherState(t *testing.T) {
	t.Parallel()
	other := newRig(t, "/bin/sleep", "1002")
	other.spec.StartTime, other.spec.Env = 0, nil
	r := newRig(t, "/bin/sleep", "1003")
	r.spec.StartTime = 0
	r.pretend(func(*statedir.Status) {})
	other.begin()
	other.tell("start")
	kept := other.expect(event.Running).Int("pid")
	defer func() {
		other.tell("stop")
		other.comesTo("STOPPED")
	}()
	r.begin()
	if got := r.expect(event.Running).Int("pid"); got == kept {
		t.Error("another's program was taken")
	}
}

// What a status of another boot says is nothing.
func TestOtherBoot(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	pid := r.stray("/bin/sleep", "1000")
	s, _ := procfs.ReadStat(pid)
	r.pretend(func(was *statedir.Status) {
		was.Boot, was.PID, was.Start, was.State = "another", pid, s.Start, "RUNNING"
	})
	r.begin()
	eventually(t, "a status of this boot", func() bool { s, err := r.run.ReadStatus(); return err == nil && s.Boot == procfs.BootID() })
	if s := r.status(); s.State != "STOPPED" || s.PID != 0 || s.Seq != 0 {
		t.Errorf("%s pid %d seq %d", s.State, s.PID, s.Seq)
	}
}

// A pid that names another process by now is not the program: that one has
// ended, nobody knows how, and the policy holds.
func TestReusedPid(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	pid := r.stray("/bin/sleep", "1000")
	r.pretend(func(s *statedir.Status) { s.PID, s.Start, s.Group, s.State = pid, 1, pid, "RUNNING" })
	r.spec.Env = append(r.spec.Env, "TM_NAME=x:other") // so that the stranger is not of this instance's tree
	r.begin()
	if e := r.expect(event.Exited); e.Get("code") != "unknown" || e.Get("expected") != "no" || e.Int("pid") != pid {
		t.Error(e.String())
	}
	r.expect(event.Starting)
}

// A status that nobody can read says nothing of what runs, so it is looked
// for; and a file of nothing but garbage ends no helper.
func TestGarbageStatus(t *testing.T) {
	t.Parallel()
	for _, garbage := range []string{"", "\x00\xff%%%", "2026-11-22T14:03:07.123Z x:0 running pid=1\n", strings.Repeat("x", 1<<17)} {
		r := newRig(t, tamePath, "rest")
		r.spec.StartTime = 0
		pid := r.stray(tamePath, "rest")
		if err := os.WriteFile(r.run.Status(), []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		r.begin()
		if e := r.expect(event.Adopted); e.Int("pid") != pid {
			t.Error(e.String())
		}
		r.comesTo("RUNNING")

		alone := newRig(t, tamePath, "rest")
		alone.spec.StartTime = 0
		if err := os.WriteFile(alone.run.Status(), []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		alone.begin()
		alone.comesTo("STOPPED")
		alone.tell("start")
		alone.comesTo("RUNNING")
	}
}

// A status that somebody removed is not that of an instance without a past,
// which the lock tells: the program is looked for. A helper that lives writes
// its status anew when it is asked to.
func TestRemovedStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t, tamePath, "rest")
	r.spec.StartTime = 0
	r.begin()
	r.tell("start")
	pid := r.comesTo("RUNNING").PID
	os.Remove(r.run.Status())
	r.tell("status")
	if s := r.comesTo("RUNNING"); s.PID != pid {
		t.Errorf("the status names %d, the program is %d", s.PID, pid)
	}
	r.kill()
	os.Remove(r.run.Status())
	r.beginAgain()
	if e := r.expect(event.Adopted); e.Int("pid") != pid {
		t.Error(e.String())
	}
	r.comesTo("RUNNING")
}

// A helper without a spec, or with one that it cannot read, says so and ends;
// a second one on the same directory says who has it.
func TestNoSpec(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	spec := r.run.Spec()
	for _, c := range []struct {
		text, want string
		code       int
	}{
		{"", "tmsupervise x:0: fatal: unable to read " + spec + ": no such file\n", 111},
		{"version 7\n", "tmsupervise x:0: fatal: unable to use " + spec + ": line 1: version 7, this program reads version 1\n", 100},
		{"version 1\nname x:0\ncmd %zz\n", "tmsupervise x:0: fatal: unable to use " + spec + ": line 3: bad percent-encoding\n", 100},
	} {
		if c.text != "" {
			if err := os.WriteFile(spec, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		os.Remove(r.stderr)
		r.beginAgain()
		if code := r.ended(); code != c.code || r.said() != c.want {
			t.Errorf("exit %d: %s", code, r.said())
		}
	}
	r.begin()
	r.tell("start")
	r.comesTo("RUNNING")
	first := r.helper
	second := exec.Command(helperPath, "-d", string(r.run))
	out, err := second.CombinedOutput()
	if want := fmt.Sprintf("tmsupervise x:0: fatal: already running, pid %d\n", first.Process.Pid); second.ProcessState.ExitCode() != 100 || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}

// How an adopted program ended is told by its reaper, by the kernel, or, a
// tenth of a second later, by nobody.
func TestEndOfAdopted(t *testing.T) {
	t.Parallel()
	adopted := func(t *testing.T) (*rig, int) {
		r := newRig(t, "/bin/sh", "-c", "trap 'exit 7' USR1; while :; do read x; sleep 1000 & wait; done")
		r.spec.Restart = spec.Never
		r.begin()
		r.tell("start")
		pid := r.comesTo("RUNNING").PID
		r.kill()
		r.beginAgain()
		r.expect(event.Adopted)
		return r, pid
	}
	t.Run("by the kernel", func(t *testing.T) {
		t.Parallel()
		r, pid := adopted(t)
		// Its reaper waits for it, as tmd does; the kernel tells only then.
		go unix.Wait4(pid, nil, 0, nil)
		unix.Kill(pid, unix.SIGUSR1)
		if e := r.expect(event.Exited); e.Get("code") != "7" || e.Int("pid") != pid || e.Get("left") == "0" {
			t.Error(e.String())
		}
		r.comesTo("EXITED")
	})
	t.Run("by its reaper", func(t *testing.T) {
		t.Parallel()
		r, pid := adopted(t)
		r.tell(fmt.Sprintf("reaped %d %d", pid+1, 9)) // another's
		r.tell(fmt.Sprintf("reaped %d %d", pid, 139))
		if e := r.expect(event.Exited); e.Get("signal") != "SEGV" || e.Get("core") != "yes" {
			t.Error(e.String())
		}
	})
	t.Run("by nobody", func(t *testing.T) {
		t.Parallel()
		r, pid := adopted(t)
		unix.Kill(pid, unix.SIGKILL)
		if e := r.expect(event.Exited); e.Get("code") != "unknown" || e.Get("expected") != "no" {
			t.Error(e.String())
		}
		unix.Wait4(pid, nil, 0, nil)
	})
	t.Run("dead before the helper came", func(t *testing.T) {
		t.Parallel()
		r, pid := adopted(t)
		r.kill()
		unix.Kill(pid, unix.SIGUSR1)
		var status unix.WaitStatus
		unix.Wait4(pid, &status, 0, nil)
		r.tell(fmt.Sprintf("reaped %d %d", pid, status)) // the hint that tmd writes first
		r.beginAgain()
		if e := r.expect(event.Exited); e.Get("code") != "7" {
			t.Error(e.String())
		}
	})
}

// A new helper goes on in the state in which the old one was killed.
func TestAdoptionInEachState(t *testing.T) {
	t.Parallel()
	stubborn := []string{"/bin/sh", "-c", `trap "" TERM; while :; do sleep 1; done`}
	for _, c := range []struct {
		name  string
		shape func(*spec.Spec)
		until func(*rig) // brings it into the state
		then  func(*rig)
	}{
		{"STARTING", func(s *spec.Spec) { s.StartTime = 300 * time.Millisecond; s.Cmd = []string{"/bin/sleep", "1000"} },
			func(r *rig) { r.tell("start seq=1"); r.expect(event.Starting) },
			func(r *rig) {
				pid := r.expect(event.Adopted).Int("pid")
				if e := r.expect(event.Running); e.Int("pid") != pid {
					r.t.Error(e.String())
				}
			}},
		{"RUNNING", func(s *spec.Spec) { s.StartTime = 0; s.Cmd = []string{"/bin/sleep", "1000"} },
			func(r *rig) { r.tell("start seq=1"); r.expect(event.Running) },
			func(r *rig) {
				began := r.status().Began
				pid := r.expect(event.Adopted).Int("pid")
				if s := r.status(); s.State != "RUNNING" || s.PID != pid || s.Began != began {
					r.t.Errorf("%+v", s)
				}
				unix.Kill(pid, unix.SIGKILL)
				unix.Wait4(pid, nil, 0, nil)
				if e := r.expect(event.Exited); e.Get("signal") != "KILL" {
					r.t.Error(e.String())
				}
				if s := r.comesTo("RUNNING"); s.PID == pid || s.Restarts != 1 {
					r.t.Errorf("pid %d, restarts %d", s.PID, s.Restarts)
				}
			}},
		{"STOPPING", func(s *spec.Spec) { s.StartTime, s.StopTime, s.Cmd = 0, 500*time.Millisecond, stubborn },
			func(r *rig) { r.tell("start seq=1"); r.isBusy(); r.tell("stop seq=2"); r.expect(event.Stopping) },
			func(r *rig) { r.expect(event.Adopted); r.expect(event.Killed); r.comesTo("STOPPED") }},
		{"STOPPING the rest", func(s *spec.Spec) {
			s.StartTime, s.StopTime = 0, 500*time.Millisecond
			s.Cmd = []string{"/bin/sh", "-c", `trap "exit 0" TERM; sh -c 'trap "" TERM; while :; do sleep 1; done' & wait`}
		},
			func(r *rig) {
				r.tell("start seq=1")
				pid := r.expect(event.Running).Int("pid")
				eventually(r.t, "its child", func() bool { return len(procfs.Descendants(pid)) == 2 })
				r.tell("stop seq=2")
				eventually(r.t, "the program is gone", func() bool { return r.status().PID == 0 })
			},
			func(r *rig) { r.expect(event.Killed); r.comesTo("STOPPED") }},
		{"restarting", func(s *spec.Spec) { s.StartTime, s.StopTime, s.Cmd = 0, 500*time.Millisecond, stubborn },
			func(r *rig) { r.tell("start seq=1"); r.isBusy(); r.tell("restart seq=2"); r.expect(event.Stopping) },
			func(r *rig) { r.expect(event.Killed); r.expect(event.Starting); r.comesTo("RUNNING") }},
		{"sweeping", func(s *spec.Spec) {
			s.StartTime, s.Restart = 0, spec.Never
			s.Cmd = []string{"/bin/sh", "-c", `sh -c 'trap "" TERM; while :; do sleep 1; done' & read x <"$0"; exit 3`, s.State + "/go"}
			unix.Mkfifo(s.State+"/go", 0o600)
		},
			func(r *rig) {
				r.tell("start seq=1")
				pid := r.expect(event.Running).Int("pid")
				eventually(r.t, "its child", func() bool { return len(procfs.Descendants(pid)) == 2 })
				os.WriteFile(r.spec.State+"/go", []byte("\n"), 0)
				r.expect(event.Stopping)
			},
			func(r *rig) {
				r.expect(event.Killed)
				if e := r.expect(event.Exited); e.Get("code") != "3" || e.Get("left") != "2" {
					r.t.Error(e.String())
				}
				if s := r.comesTo("EXITED"); s.Detail != "exited 3 and left 2 processes: killed" {
					r.t.Errorf("detail %q", s.Detail)
				}
			}},
		{"leaving", func(s *spec.Spec) { s.StartTime, s.StopTime, s.Cmd = 0, 500*time.Millisecond, stubborn },
			func(r *rig) { r.tell("start seq=1"); r.isBusy(); r.tell("exit seq=2"); r.expect(event.Stopping) },
			func(r *rig) {
				r.expect(event.Stopped)
				if code := r.ended(); code != 0 {
					r.t.Errorf("exit %d", code)
				}
			}},
		{"BACKOFF", func(s *spec.Spec) { s.BackoffFirst, s.Cmd = 600*time.Millisecond, []string{"/bin/false"} },
			func(r *rig) { r.tell("start seq=1"); r.expect(event.Backoff) },
			func(r *rig) {
				if e := r.expect(event.Starting); e.Get("try") != "2" || e.Get("cause") != "retry" {
					r.t.Error(e.String())
				}
			}},
		{"EXITED", func(s *spec.Spec) { s.Cmd = []string{"/bin/true"} },
			func(r *rig) { r.tell("start seq=1"); r.comesTo("EXITED") },
			func(r *rig) { r.restsIn("EXITED", "exit 0") }},
		{"FATAL", func(s *spec.Spec) { s.StartRetries, s.Cmd = 0, []string{"/bin/false"} },
			func(r *rig) { r.tell("start seq=1"); r.comesTo("FATAL") },
			func(r *rig) { r.restsIn("FATAL", "exit 1") }},
		{"STOPPED", func(s *spec.Spec) { s.Cmd = []string{"/bin/false"} },
			func(r *rig) { r.tell("stop seq=1"); r.expect(event.Heeded) },
			func(r *rig) { r.restsIn("STOPPED", "") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.shape(r.spec)
			r.begin()
			c.until(r)
			r.kill()
			r.beginAgain()
			c.then(r)
		})
	}
}

// isBusy waits until the program runs and has a child, so that its traps are set.
func (r *rig) isBusy() {
	r.t.Helper()
	pid := r.expect(event.Running).Int("pid")
	eventually(r.t, "its child", func() bool { return len(procfs.Descendants(pid)) > 0 })
}

// restsIn sees a helper take a command in the state that it found, to know
// that it has found it.
func (r *rig) restsIn(state, detail string) {
	r.t.Helper()
	r.tell("kill seq=2")
	if e := r.expect(event.Heeded); e.Get("seq") != "2" {
		r.t.Error(e.String())
	}
	if s := r.status(); s.State != state || s.Detail != detail {
		r.t.Errorf("%s %q, want %s %q", s.State, s.Detail, state, detail)
	}
}

// The tree of an adopted program: its descendants, its session and theirs, and
// what tmd inherited.
func TestTreeOfAdopted(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", `
		sleep 1001 &
		setsid sleep 1002 &
		(setsid sh -c 'sleep 1003 & sleep 1004 & kill -STOP $$' &)
		sleep 1005`)
	r.spec.StartTime = 0
	r.begin()
	r.tell("start")
	r.expect(event.Running)
	eventually(t, "seven processes", func() bool { return len(r.kin()) == 7 })
	r.kill()
	r.beginAgain()
	r.expect(event.Adopted)
	r.tell("stop")
	if s := r.comesTo("STOPPED"); s.PID != 0 {
		t.Error(s)
	}
	if left := r.kin(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What an earlier life of the program left to live, as stopgroup process does,
// is not of the tree of an adopted one, though it has the same environment.
func TestTreeOfAdoptedIsNoOlder(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	old := r.stray("/bin/sleep", "1001")
	s, err := procfs.ReadStat(old)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next tick", func() bool { return procfs.Ticks() > s.Start })
	r.spec.StartTime = 0
	r.begin()
	r.tell("start")
	pid := r.expect(event.Running).Int("pid")
	r.kill()
	r.beginAgain()
	r.expect(event.Adopted)
	r.tell("stop")
	eventually(t, "the end of the program", func() bool { return !alive(pid) })
	unix.Wait4(pid, nil, 0, nil)
	if e := r.expect(event.Stopped); e.Get("signal") != "TERM" || !alive(old) {
		t.Errorf("%s; the older process lives: %v", e.String(), alive(old))
	}
}
