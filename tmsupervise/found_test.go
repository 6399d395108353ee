package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"taskmaster/lib/event"
	"taskmaster/lib/procfs"
	"taskmaster/lib/spec"
	"taskmaster/lib/timerslack"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// What a program finds at its start is the same straight and through the exec
// stage, and nothing of it comes from the helper but what is inherited by
// design.
func TestWhatAProgramFinds(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"straight", "staged"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			found := r.file("found")
			r.spec.Cmd = []string{tamePath, "find", found}
			r.spec.Umask, r.spec.Dir = 0o027, "/"
			r.spec.NoNewPrivs = way == "staged"
			r.spec.Env = append(r.spec.Env, "EMPTY=", "ODD=a=b c\n%", "GODEBUG=inittrace=1")
			r.begin()
			r.tell("start")
			want := []string{
				ownStatus(t, "Uid"), ownStatus(t, "Gid"), ownStatus(t, "Groups"),
				"SigBlk 0000000000000000", "SigIgn 0000000000000000", ownStatus(t, "NoNewPrivs"),
				"leads its session true, its group true", "umask 027", "dir /",
				"oom_score_adj " + own(t, "oom_score_adj"), "nice " + strings.Fields(own(t, "stat"))[18],
				"env EMPTY=", "env GODEBUG=inittrace=1", "env ODD=a=b c\n%", "env PATH=" + os.Getenv("PATH"), "env TM_NAME=x:0",
				"env TM_NUM=0", "env TM_PROGRAM=x", "env TM_STATE=" + r.spec.State, "",
			}
			if way == "staged" {
				want[5] = "NoNewPrivs 1"
			}
			sameText(t, strings.Join(want, "\n"), readWhole(t, found))
		})
	}
}

// own is what a file of proc(5) says of the test itself.
func own(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// ownStatus is a field of the test's own status, as tame writes it.
func ownStatus(t *testing.T, field string) string {
	t.Helper()
	_, rest, ok := strings.Cut(own(t, "status"), "\n"+field+":")
	if !ok {
		t.Fatalf("no %s in the status", field)
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Join(append([]string{field}, strings.Fields(line)...), " ")
}

// A program gets 0, 1 and 2, the one more that it is to say ready on if it
// asked for that, and no other.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		for _, fd := range []int{0, 3, 64, 200} {
			r := newRig(t, "/bin/sleep", "1000")
			r.spec.NoNewPrivs = staged
			want := map[string]string{"0": "/dev/null", "1": "/dev/null", "2": "/dev/null"}
			if fd > 0 {
				r.spec.Ready = spec.Ready{Kind: spec.Notify, FD: fd}
				want[strconv.Itoa(fd)] = string(r.run) + "/ready"
			}
			r.begin()
			r.tell("start")
			pid := r.expect(event.Starting).Int("pid")
			// Its loader opens files of its own until sleep sleeps.
			eventually(t, "sleep sleeps", func() bool { return strings.HasSuffix(procfs.Executable(pid), "/sleep") && sleeps(pid) })
			if diff := cmp.Diff(want, descriptors(t, pid)); diff != "" {
				t.Errorf("staged %v, notify %d: %s", staged, fd, diff)
			}
		}
	}
}

func sleeps(pid int) bool {
	where, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/wchan")
	return err == nil && strings.Contains(string(where), "nanosleep")
}

func descriptors(t *testing.T, pid int) map[string]string {
	t.Helper()
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	names, err := procfs.Names(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range names {
		found[name], _ = os.Readlink(dir + "/" + name)
	}
	return found
}

func readWhole(t *testing.T, path string) string {
	t.Helper()
	var text []byte
	eventually(t, path, func() (there bool) {
		var err error
		text, err = os.ReadFile(path)
		return err == nil
	})
	return string(text)
}

func sameText(t *testing.T, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
}

// All that only the stage can set.
func TestWhatTheStageSets(t *testing.T) {
	t.Parallel()
	nice, score := 5, 321
	r := newRig(t)
	dir := t.TempDir()
	os.Chmod(dir, 0o777)
	found := dir + "/found"
	r.spec.Cmd = []string{tamePath, "find", found}
	r.spec.Dir = dir
	r.spec.User = &spec.User{UID: 12345, GID: 23456, Groups: []int{7, 8}}
	r.spec.Nice, r.spec.OOMScoreAdj, r.spec.NoNewPrivs = &nice, &score, true
	for parent := dir; parent != "/"; parent = parent[:max(1, strings.LastIndexByte(parent, '/'))] {
		os.Chmod(parent, 0o777|os.ModeSticky)
	}
	r.begin()
	r.tell("start")
	text := readWhole(t, found)
	for _, want := range []string{
		"Uid 12345 12345 12345 12345\nGid 23456 23456 23456 23456\nGroups 7 8\n", "\nNoNewPrivs 1\n",
		"\nnice 5\n", "\noom_score_adj 321\n", "\ndir " + dir + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// The limits are read by a shell, since a Go program changes NOFILE.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := []spec.Limit{
		{Name: "nofile", Value: 123}, {Name: "core", Value: 0}, {Name: "nproc", Value: 456}, {Name: "as", Value: 1 << 29},
		{Name: "fsize", Value: 1 << 20}, {Name: "memlock", Value: 8192}, {Name: "stack", Value: 1 << 20},
		{Name: "data", Value: 1 << 26}, {Name: "cpu", Value: 99}, {Name: "rss", Value: ^uint64(0)},
	}
	r := newRig(t)
	found := r.file("limits")
	r.spec.Cmd = []string{"/bin/sh", "-c", "cat /proc/self/limits >" + found + ".new; mv " + found + ".new " + found}
	r.spec.Limits = limits
	r.begin()
	r.tell("start")
	got := map[string]string{}
	for line := range strings.Lines(readWhole(t, found)) {
		if len(line) > 47 {
			got[strings.TrimSpace(line[:26])] = strings.Join(strings.Fields(line[26:])[:2], " ")
		}
	}
	for name, want := range map[string]string{
		"Max open files": "123 123", "Max core file size": "0 0", "Max processes": "456 456",
		"Max address space": "536870912 536870912", "Max file size": "1048576 1048576", "Max locked memory": "8192 8192",
		"Max stack size": "1048576 1048576", "Max data size": "67108864 67108864", "Max cpu time": "99 99",
		"Max resident set": "unlimited unlimited",
	} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
}

// The Go runtime raises its own soft limit on open files; a program gets the
// one that the helper was started with, straight and through the stage.
func TestOriginalOpenFilesLimit(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		r := newRig(t)
		found := r.file("limit")
		r.spec.Cmd = []string{"/bin/sh", "-c", "ulimit -Sn >" + found}
		r.spec.NoNewPrivs = staged
		r.path = script(t, "#!/bin/sh\nulimit -Sn 777\nexec "+helperPath+" \"$@\"\n")
		r.begin()
		r.tell("start")
		if n := readNumber(t, found); n != 777 {
			t.Errorf("staged %v: soft limit %d, want 777", staged, n)
		}
	}
}

// Started with signals ignored and blocked, the helper alone resets both, for
// itself and its program.
func TestCleanSignals(t *testing.T) {
	t.Parallel()
	found := t.TempDir() + "/found"
	cmd := exec.Command(helperPath, "-n", "x", "--", tamePath, "find", found)
	startUnderIgnoredSignals(t, cmd)
	text := readWhole(t, found)
	for _, want := range []string{"SigBlk 0000000000000000\n", "SigIgn 0000000000000000\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "TM_CLEANSIG") {
		t.Error("the program finds the helper's mark in its environment")
	}
	cmd.Process.Signal(unix.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// startUnderIgnoredSignals starts cmd from a thread that has USR1 and TERM
// blocked, by way of a shell that ignores HUP, PIPE and USR2.
func startUnderIgnoredSignals(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP PIPE USR2; exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its mask
		mask := uint64(1<<(unix.SIGUSR1-1) | 1<<(unix.SIGTERM-1))
		unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
		failed <- cmd.Start()
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

// Logs are opened for append with the program's umask; a log in a trusted
// place is opened before the program's user is taken, one in a place that
// others may write to with the rights of that user.
func TestLogs(t *testing.T) {
	t.Parallel()
	safe, open := t.TempDir(), t.TempDir()
	os.Chmod(open, 0o777)
	for parent := open; parent != "/"; parent = parent[:max(1, strings.LastIndexByte(parent, '/'))] {
		os.Chmod(parent, 0o777|os.ModeSticky)
	}
	r := newRig(t, "/bin/sh", "-c", "echo out; echo err >&2")
	os.WriteFile(open+"/out", []byte("before\n"), 0o666)
	os.Chmod(open+"/out", 0o666)
	r.spec.Stdout = spec.Output{Kind: spec.File, Path: open + "/out"}
	r.spec.Stderr = spec.Output{Kind: spec.File, Path: open + "/err"}
	r.spec.User = &spec.User{UID: 12345, GID: 12345}
	r.spec.Umask = 0o027
	r.begin()
	r.tell("start")
	r.expect(event.Exited)
	var st unix.Stat_t
	if err := unix.Stat(open+"/err", &st); err != nil || st.Uid != 12345 || st.Mode&0o777 != 0o640 {
		t.Errorf("%v, uid %d, mode %o; want uid 12345, mode 640", err, st.Uid, st.Mode&0o777)
	}
	sameText(t, "before\nout\n", readWhole(t, open+"/out"))
	sameText(t, "err\n", readWhole(t, open+"/err"))

	joined := newRig(t, "/bin/sh", "-c", "echo out; echo err >&2")
	joined.spec.Stdout = spec.Output{Kind: spec.File, Path: safe + "/both"}
	joined.spec.Stderr = spec.Output{Kind: spec.SameAsOut}
	joined.begin()
	joined.tell("start")
	joined.expect(event.Exited)
	sameText(t, "out\nerr\n", readWhole(t, safe+"/both"))
}

// A log that cannot be written to is the program's to notice; the helper is
// not concerned.
func TestFullLog(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", "echo out; exit 3")
	r.spec.Stdout = spec.Output{Kind: spec.File, Path: "/dev/full"}
	r.spec.Restart = spec.Never
	r.begin()
	r.tell("start")
	if e := r.expect(event.Exited); e.Get("code") != "3" {
		t.Error(e.String())
	}
}

// A program that writes to a tmlog's FIFO holds its reading side itself, so
// that it gets no SIGPIPE and loses nothing while no tmlog lives.
func TestLogFIFO(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sh", "-c", "echo one; read x </dev/null; echo two; kill -STOP $$")
	fifo := r.file("fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.spec.Stdout = spec.Output{Kind: spec.Log, Path: fifo}
	r.begin()
	r.tell("start")
	pid := r.expect(event.Running).Int("pid")
	eventually(t, "the program stops itself", func() bool { return stateOf(pid) == 'T' })
	fd, err := unix.Open(fifo, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	buf := make([]byte, 64)
	n, _ := unix.Read(fd, buf)
	sameText(t, "one\ntwo\n", string(buf[:max(n, 0)]))
}

// A limit on processes that the program's user has reached already is a lack
// of resources, whatever thread the stage would have liked to start, and
// whatever memory it would have liked to have for a large environment.
func TestProcessLimit(t *testing.T) {
	t.Parallel()
	other := exec.Command("/bin/sleep", "1000")
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242}}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	r := newRig(t, "/bin/true")
	r.spec.User = &spec.User{UID: 4242, GID: 4242}
	r.spec.Limits = []spec.Limit{{Name: "nproc", Value: 0}, {Name: "as", Value: 1 << 26}}
	for i := range 8 {
		r.spec.Env = append(r.spec.Env, "LARGE"+strconv.Itoa(i)+"="+strings.Repeat("x", 100_000))
	}
	r.spec.BackoffFirst, r.spec.BackoffMax = time.Millisecond, time.Millisecond
	r.begin()
	r.tell("start")
	for range 10 {
		e := r.expect(event.Backoff)
		if e.Get("reason") != "cannot start /bin/true: resource temporarily unavailable" || e.Get("try") != "0" {
			t.Fatal(e.String())
		}
	}
}

// TestTimerSlack: the program is started with the timer slack that its spec
// says, and where that says none, with what its helper was started with.
func TestTimerSlack(t *testing.T) {
	t.Parallel()
	const helpers = 77_000
	for name, nice := range map[string]*int{"straight": nil, "by the exec stage": new(int)} {
		for slack, want := range map[int]int{123_456: 123_456, 0: helpers} {
			r := newRig(t, "/bin/sleep", "1000")
			r.spec.StartTime, r.spec.Nice, r.spec.TimerSlack = 0, nice, slack
			runtime.LockOSThread()
			before := timerslack.Own()
			timerslack.Set(helpers)
			r.begin()
			timerslack.Set(before)
			runtime.UnlockOSThread()
			r.tell("start")
			pid := r.expect(event.Running).Int("pid")
			if got := readNumber(t, "/proc/"+strconv.Itoa(pid)+"/timerslack_ns"); got != want {
				t.Errorf("%s, spec says %d: %d ns, want %d", name, slack, got, want)
			}
		}
	}
}
