package procfs

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	text := "42 (a) R (b) S 7 40 41 0 -1 4194560 1 0 0 0 11 12 0 0 20 0 1 0 987654 1000 33 18446744073709551615"
	s, err := parseStat([]byte(text))
	want := Stat{PID: 42, State: 'S', PPID: 7, Group: 40, Session: 41, User: 11, System: 12, Threads: 1, Start: 987654, RSS: 33}
	if err != nil || s != want {
		t.Errorf("got %+v, %v, want %+v", s, err, want)
	}
	for _, bad := range []string{"", "42", "42 (x", "42 (x) S 1", ") 42 ("} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("parseStat(%q) has no error", bad)
		}
	}
}

func TestSelf(t *testing.T) {
	s, err := ReadStat(os.Getpid())
	if err != nil || s.PPID != os.Getppid() || s.Start == 0 || s.Start > Ticks() {
		t.Errorf("%+v, %v; now %d", s, err, Ticks())
	}
	if UID(os.Getpid()) != os.Getuid() || len(BootID()) != 36 {
		t.Errorf("uid %d, boot id %q", UID(os.Getpid()), BootID())
	}
}

// A shell starts a grandchild in a session of its own and tells when both are
// there; then all are found below this test, and the exit code of the
// grandchild, which is nobody's business here, is read from its pidfd.
func TestDescendants(t *testing.T) {
	cmd := exec.Command("sh", "-c", `MARK=here setsid sh -c 'echo $$; read x; exit 7' <&3 & wait; read x`)
	in, _ := cmd.StdinPipe()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{r}
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	text, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid := int(number([]byte(text[:len(text)-1])))
	all := Descendants(os.Getpid())
	if !slices.Contains(all, cmd.Process.Pid) || !slices.Contains(all, pid) {
		t.Errorf("%v lacks %d or %d", all, cmd.Process.Pid, pid)
	}
	s, err := ReadStat(pid)
	if err != nil || s.Session == os.Getpid() || !HasEnv(pid, "MARK=here") || HasEnv(pid, "MARK=her") {
		t.Errorf("grandchild: %+v, %v", s, err)
	}
	if _, err := OpenPidfd(pid, s.Start+1); err != unix.ESRCH {
		t.Errorf("another start time: %v, want ESRCH", err)
	}
	fd, err := OpenPidfd(pid, s.Start)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if PidfdExited(fd) || !Alive(pid, s.Start) {
		t.Error("alive, but said to have exited")
	}
	w.Close()
	r.Close()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for n := 0; n == 0; {
		n, _ = unix.Poll(fds, 10000)
	}
	in.Close()
	cmd.Wait()
	status, ok := PidfdStatus(fd)
	if ok && status.ExitStatus() != 7 {
		t.Errorf("exit status %v, want 7", status)
	}
	if !ok && kernelHasExitInfo() {
		t.Error("this kernel tells exit codes by pidfd, but none came")
	}
}

// A script that executes itself again and again shows no environment at many a
// look, and is known by it all the same.
func TestEnvInTheMiddleOfAnExec(t *testing.T) {
	script := t.TempDir() + "/again"
	if err := os.WriteFile(script, []byte("exec /bin/sh \"$0\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := start(t, []string{"MARK=here"}, "/bin/sh", script)
	without := 0
	for looks := 0; looks < 500 || without < 5; looks++ {
		if text, err := ReadFile(file(again, "environ"), 1<<10); err == nil && len(text) == 0 {
			without++
		}
		if !HasEnv(again, "MARK=here") || !HasEnvKey(again, "MARK") {
			t.Fatalf("look %d did not find its environment", looks)
		}
	}
}

// start starts a process that is killed at the end of the test.
func start(t *testing.T, env []string, argv ...string) int {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process.Pid
}

func kernelHasExitInfo() bool {
	var u unix.Utsname
	unix.Uname(&u)
	major, rest := 0, u.Release[:]
	for len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
		major, rest = major*10+int(rest[0]-'0'), rest[1:]
	}
	return major >= 7 || major == 6 && rest[0] == '.' && rest[1] == '1' && rest[2] >= '5'
}
