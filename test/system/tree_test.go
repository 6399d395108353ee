package system_test

import (
	"strconv"
	"strings"
	"testing"

	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// family is a program with a child in its group, one in a session of its
// own, and one that forked twice to be nobody's child. Each writes its pid.
const family = `
sh -c 'echo $$ >child; exec sleep 1000' &
setsid sh -c 'echo $$ >session; exec sleep 1000' &
(setsid sh -c 'echo $$ >orphan; exec sleep 1000' &)
while [ ! -s child ] || [ ! -s session ] || [ ! -s orphan ]; do sleep 0.01; done
echo $$ >parent
`

var members = []string{"child", "session", "orphan"}

// familyOf waits until a family is complete and returns its pids.
func familyOf(t *testing.T, h *tmtest.Host) map[string]int {
	t.Helper()
	pids := map[string]int{}
	for _, name := range append(members, "parent") {
		tmtest.Until(t, func() bool { return strings.HasSuffix(h.Read(name), "\n") }, "%s is there", name)
		pid, err := strconv.Atoi(strings.TrimSpace(h.Read(name)))
		if err != nil {
			t.Fatal(err)
		}
		pids[name] = pid
	}
	return pids
}

func lives(pid int) bool { return tmtest.StartOf(pid) != 0 && !isZombie(pid) }

// stopgroup says whom a stop reaches: every descendant however it forked, the
// process group, or the program alone.
func TestStopGroups(t *testing.T) {
	t.Parallel()
	for group, survivors := range map[string][]string{
		"tree": nil, "group": {"session", "orphan"}, "process": members,
	} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			h := tmtest.NewHost(t, `
programs:
  web: {cmd: [sh, "%(here)s/family.sh"], workingdir: "%(here)s", starttime: 0, stopgroup: `+group+`}
`)
			h.File("family.sh", family+"exec sleep 1000\n")
			d := h.Start()
			pids := familyOf(t, h)
			h.OK("stop", "web")
			for _, name := range members {
				want := false
				for _, s := range survivors {
					want = want || s == name
				}
				if lives(pids[name]) != want {
					t.Errorf("%s lives: %v, want %v", name, !want, want)
				}
				unix.Kill(pids[name], unix.SIGKILL)
			}
			d.Stop()
		})
	}
}

// The end of a program is the end of its tree, and what it left is told.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: [sh, "%(here)s/family.sh"], workingdir: "%(here)s", starttime: 100}
`)
	h.File("family.sh", family)
	d := h.Start()
	pids := familyOf(t, h)
	h.Await("EXITED", "web:0")
	for _, name := range members {
		if lives(pids[name]) {
			t.Errorf("%s lives on", name)
		}
	}
	h.AwaitLog(` web:0 exited pid=\d+ code=0 expected=yes uptime=\S+ left=3\b`)
	status := h.Ctl("status", "-p", "web")
	if want := "left 3 processes: killed; run it in the foreground or set background: follow"; !strings.Contains(status.Stdout, want) {
		t.Errorf("status is %q, lacks %q", status.Stdout, want)
	}
	d.Stop()
}

// background: follow takes the one child that is left for the program.
func TestBackgroundFollow(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: [sh, -c, "setsid sleep 1000 & exit 0"], background: follow, starttime: 0.2}
`)
	d := h.Start()
	h.Await("RUNNING", "web:0")
	pid := h.PID("web:0")
	if args := readFile(t, "/proc/"+strconv.Itoa(pid)+"/cmdline"); args != "sleep\x001000\x00" {
		t.Errorf("the program is %q", args)
	}
	h.OK("stop", "web")
	if lives(pid) {
		t.Error("it lives on")
	}
	d.Stop()
}
