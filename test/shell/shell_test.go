// Package shell holds the tests of the control shell with a real tmd.
package shell

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"taskmaster/lib/procfs"
	"taskmaster/test/terminal"
	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }

const configuration = `
programs:
  web: {cmd: "sleep 1000", numprocs: 3, starttime: 0}
  talk:
    cmd: [sh, -c, "printf 'a\\033[31mb\\n'; echo ready; exec sleep 1000"]
    stdout: "%(here)s/talk.log"
    starttime: 0
  many: {cmd: "sleep 1000", numprocs: 12, autostart: false, starttime: 0}
  none: {cmd: /no/such, autostart: false, startretries: 1, backoff: {first: 10ms, max: 10ms}}
`

// start starts tmd and opens the shell, which waits at its prompt.
func start(t *testing.T) (*tmtest.Host, *tmtest.Tmd, *terminal.Terminal, string) {
	t.Helper()
	host := tmtest.NewHost(t, configuration)
	tmd := host.Start()
	host.OK("wait", "web", "running")
	host.OK("wait", "talk", "running")
	prompt := "tmctl " + strings.TrimSpace(host.Read("state/address")) + "> "
	return host, tmd, open(t, host), prompt
}

func open(t *testing.T, host *tmtest.Host) *terminal.Terminal {
	t.Helper()
	cmd := exec.Command(tmtest.Bin("tmctl"), "-c", host.Config, "-d", host.State)
	cmd.Dir = host.Dir
	cmd.Env = append(os.Environ(), "HOME="+host.Dir, "XDG_STATE_HOME="+host.Dir, "TERM=xterm", "LANG=C.UTF-8",
		"NO_COLOR=1", "TMCTL_SERVER=", "TMCTL_SECRET_FILE=")
	return terminal.Open(t, cmd)
}

func TestSession(t *testing.T) {
	t.Parallel()
	host, _, term, prompt := start(t)
	term.Expect("NAME", "many:0", "STOPPED", "web:2", "RUNNING", prompt)

	// Completion knows what is stopped.
	term.Press("start none:" + terminal.Tab)
	term.Expect(prompt + "start none:0 ")
	term.Press(terminal.Enter)
	term.Expect("none:0: failed to start: cannot execute /no/such: no such file, retry 1 in 0.01 s",
		"none:0: ", "cannot execute /no/such: no such file", prompt)
	term.Press("stop web:1" + terminal.Enter)
	term.Expect("web:1: stopped", prompt)
	term.Press("start web:" + terminal.Tab + terminal.Enter)
	term.Expect(prompt+"start web:1 ", "web:1: running", prompt)

	// More than ten have a progress line, until all are there.
	term.Press("start many" + terminal.Enter)
	term.Expect("0/12 running", "\r\x1b[K", "12/12 running\r\x1b[K", prompt)

	// What a program says never reaches the terminal raw.
	term.Press("tail -f talk:0" + terminal.Enter)
	term.Expect(`a\x1b[31mb`, "ready")
	term.Press(terminal.CtrlC)
	term.Expect(prompt)

	// In watch, what another client does is told in words.
	term.Press("watch stopped" + terminal.Enter)
	term.Expect("watch stopped\r\n")
	stopUntilTold(t, host, term)
	term.Press(terminal.CtrlC)
	term.Expect(prompt)

	term.Press("wait web:0 fatal" + terminal.Enter)
	term.Expect("wait web:0 fatal\r\n")
	tmtest.Until(t, func() bool {
		term.Press(terminal.CtrlC) // a key like any other until the command runs
		return strings.Contains(term.Shown(), "interrupted; what was begun goes on")
	}, "wait is interrupted")
	term.Expect("interrupted", prompt)
	term.Press("quit" + terminal.Enter)
	term.Ends(0)
}

// stopUntilTold starts and stops web:2 until the shell's watch tells it: when
// the watch begins cannot be seen from outside.
func stopUntilTold(t *testing.T, host *tmtest.Host, term *terminal.Terminal) {
	t.Helper()
	tmtest.Until(t, func() bool {
		host.OK("stop", "web:2")
		host.OK("start", "web:2")
		return strings.Contains(term.Shown(), " web:2: stopped")
	}, "watch tells that web:2 stopped")
	term.Expect(" web:2: stopped")
}

// TestDaemonReplaced kills tmd under the shell: the prompt says so, and the
// same programs answer the next tmd.
func TestDaemonReplaced(t *testing.T) {
	t.Parallel()
	host, tmd, term, prompt := start(t)
	term.Expect(prompt)
	pid := strings.TrimSpace(host.OK("pid", "web:0"))
	tmd.Signal(syscall.SIGKILL)
	tmd.Wait()
	term.Press(terminal.Enter)
	term.Expect("tmctl (not connected)> ")
	term.Press("status" + terminal.Enter)
	term.Expect("unable to connect to tmd at ", "connection refused", "tmctl (not connected)> ")

	host.Start()
	term.Press("pid web:0" + terminal.Enter)
	term.Expect("\r\n"+pid+"\r\n", "tmctl 127.0.0.1:")
	term.Press("rekey" + terminal.Enter)
	term.Expect("tmctl 127.0.0.1:")
	term.Press("pid web:0" + terminal.Enter)
	term.Expect("\r\n"+pid+"\r\n", "tmctl 127.0.0.1:")
	if got := strings.TrimSpace(host.OK("pid", "web:0")); got != pid {
		t.Errorf("pid of web:0 is %s, was %s", got, pid)
	}
	term.Press("shutdown" + terminal.Enter)
	term.Expect("tmctl (not connected)> ")
	term.Press(terminal.CtrlD)
	term.Ends(0)
}

// TestTop has top show what a real program uses.
func TestTop(t *testing.T) {
	t.Parallel()
	host, _, term, prompt := start(t)
	term.Expect(prompt)
	pid := strings.TrimSpace(host.OK("pid", "web:0"))
	term.Press("top" + terminal.Enter)
	term.Expect("NAME", "CPU%")
	term.Press("c")
	term.Await("a second look at a web:0 with its pid", func(shown []byte) bool {
		pictures := strings.Split(string(shown), "\x1b[H")
		grid := terminal.NewGrid(80, 24)
		grid.Write("\x1b[H" + pictures[len(pictures)-1])
		for _, line := range strings.Split(grid.String(), "\n") {
			fields := strings.Fields(line)
			if len(fields) >= 7 && fields[0] == "web:0" && fields[2] == pid && fields[5] != "-" {
				return !grid.Wrapped
			}
		}
		return false
	})
	term.Press("q")
	term.Expect("\x1b[?1049l", prompt)
	term.Press("quit" + terminal.Enter)
	term.Ends(0)
}

// TestEndsAreSeen holds that what takes the part of init for orphans leaves a
// program in a terminal of its own to the test that started it.
func TestEndsAreSeen(t *testing.T) {
	t.Parallel()
	own := exec.Command("true")
	own.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	tmtest.Until(t, func() bool {
		s, err := procfs.ReadStat(own.Process.Pid)
		return err != nil || s.Dead()
	}, "it has ended")
	// All are looked at in one go: when this one is gone, ours was seen.
	orphan, err := exec.Command("sh", "-c", "setsid true >/dev/null & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	tmtest.Until(t, func() bool {
		_, err := os.Stat("/proc/" + strings.TrimSpace(string(orphan)))
		return err != nil
	}, "the orphan is waited for")
	if err := own.Wait(); err != nil {
		t.Error(err)
	}
}
