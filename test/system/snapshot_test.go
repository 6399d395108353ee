package system_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"taskmaster/lib/procfs"
	"taskmaster/test/tmtest"

	"github.com/google/go-cmp/cmp"
)

// wantSnapshot is what every program finds at its start, however tmd itself
// was started.
const wantSnapshot = `fd 0 /dev/null
fd 1 $DIR/out
fd 2 /dev/null
session its own
group its own
parent tmsupervise
cwd $DIR
SigBlk 0000000000000000
SigIgn 0000000000000000
SigCgt 0000000000000000
Umask 0022
NoNewPrivs 0
timer slack 50000
soft nofile 1000
hard nofile 4000
env FOO=a b
env GOGC=50
env GOMAXPROCS=7
env OWN=$DIR/out
env PATH=/usr/bin:/bin
env TM_NAME=probe:0
env TM_NUM=0
env TM_PROGRAM=probe
env TM_STATE=$DIR/state
`

// awaitSleep returns the pid of an instance that runs sleep(1) once that
// sleeps. It is RUNNING as soon as exec has closed one close-on-exec
// descriptor: the other descriptors, its signals and its environment follow,
// and then its loader opens files of its own.
func awaitSleep(h *tmtest.Host, name string) int {
	h.T.Helper()
	h.Await("RUNNING", name)
	pid := h.PID(name)
	tmtest.Until(h.T, func() bool {
		where, err := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", pid))
		return err == nil && strings.Contains(string(where), "nanosleep")
	}, "%s sleeps", name)
	return pid
}

// snapshot tells what a program was given, from /proc.
func snapshot(t *testing.T, h *tmtest.Host, pid int) string {
	t.Helper()
	var text strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	proc := "/proc/" + strconv.Itoa(pid)
	for _, fd := range readDir(t, proc+"/fd") {
		say("fd %s %s", fd, readLink(t, proc+"/fd/"+fd))
	}
	stat, err := procfs.ReadStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	say("session %s", ifSo(stat.Session == pid, "its own"))
	say("group %s", ifSo(stat.Group == pid, "its own"))
	say("parent %s", filepath.Base(procfs.Executable(stat.PPID)))
	say("cwd %s", readLink(t, proc+"/cwd"))
	status := readFile(t, proc+"/status")
	for _, field := range []string{"SigBlk", "SigIgn", "SigCgt", "Umask", "NoNewPrivs"} {
		say("%s %s", field, fieldOf(t, status, field))
	}
	say("timer slack %s", strings.TrimSpace(readFile(t, proc+"/timerslack_ns")))
	soft, hard := limitOf(t, pid, "Max open files")
	say("soft nofile %s", soft)
	say("hard nofile %s", hard)
	env := strings.Split(strings.TrimSuffix(readFile(t, proc+"/environ"), "\x00"), "\x00")
	slices.Sort(env)
	for _, entry := range env {
		say("env %s", entry)
	}
	return strings.ReplaceAll(text.String(), h.Dir, "$DIR")
}

func ifSo(so bool, text string) string {
	if so {
		return text
	}
	return "not " + text
}

func fieldOf(t *testing.T, status, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `:\s*(.*)$`).FindStringSubmatch(status)
	if found == nil {
		t.Fatalf("no %s in\n%s", name, status)
	}
	return strings.TrimSpace(found[1])
}

// limitOf reads a row of /proc/PID/limits.
func limitOf(t *testing.T, pid int, row string) (soft, hard string) {
	t.Helper()
	text := readFile(t, fmt.Sprintf("/proc/%d/limits", pid))
	found := regexp.MustCompile(`(?m)^` + row + `\s+(\S+)\s+(\S+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %q in\n%s", row, text)
	}
	return found[1], found[2]
}

func readDir(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readLink(t *testing.T, path string) string {
	t.Helper()
	target, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// What a program finds at its start does not depend on what tmd was started
// with: signals ignored or blocked, open descriptors, a soft limit of files
// that the Go runtime raises for itself, variables that are its helpers' or of an outer taskmaster. Both
// ways to start a program are tried, straight and by way of an exec stage.
func TestWhatAProgramFinds(t *testing.T) {
	t.Parallel()
	limited := []string{"sh", "-c", `ulimit -Sn 1000; ulimit -Hn 4000; umask 022; exec "$@"`, "sh"}
	clean := []string{"env", "-i", "PATH=/usr/bin:/bin", "FOO=a b", "GOMAXPROCS=7", "GOGC=50"}
	outer := []string{"env", "TM_NAME=outer:0", "TM_PROGRAM=outer", "TM_NUM=7", "NOTIFY_SOCKET=/nowhere", "TM_EVENTS=/nowhere"}
	for name, by := range map[string][]string{
		"plain":   nil,
		"nohup":   {"nohup"},
		"ignored": {"sh", "-c", `trap '' HUP INT TERM QUIT CHLD PIPE USR1; exec "$@"`, "sh"},
		"blocked": {"env", "--block-signal=TERM,HUP,INT,CHLD,USR1,USR2"},
		"files":   {"sh", "-c", `exec 3</etc/passwd 7>/dev/null 9<&0; exec "$@"`, "sh"},
	} {
		for way, extra := range map[string]string{"straight": "", "staged": "nice: 1"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				t.Parallel()
				h := tmtest.NewHost(t, `
programs:
  probe:
    cmd: sleep 1000
    starttime: 0
    stdout: "%(here)s/out"
    env: {OWN: "%(here)s/out"}
    `+extra+"\n")
				d := h.StartBy(slices.Concat(limited, by, clean, outer))
				if diff := cmp.Diff(wantSnapshot, snapshot(t, h, awaitSleep(h, "probe:0"))); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				d.Stop()
			})
		}
	}
}

// The keys that fix a process at its start, each seen from outside.
func TestLaunchKeys(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  probe:
    cmd: sleep 1000
    starttime: 0
    user: nobody
    umask: 27
    workingdir: /usr
    clearenv: true
    env: {PATH: /bin, ZERO: null, ONE: 1.10, YES: yes}
    no_new_privs: true
    nice: 5
    oom_score_adj: 321
    limits: {nofile: 123, core: 0, nproc: 456, stack: 1MB}
`)
	d := h.Start()
	pid := awaitSleep(h, "probe:0")
	proc := "/proc/" + strconv.Itoa(pid)
	status := readFile(t, proc+"/status")
	for field, want := range map[string]string{
		"Uid": "65534\t65534\t65534\t65534", "Gid": "65534\t65534\t65534\t65534", "Groups": "65534",
		"Umask": "0027", "NoNewPrivs": "1", "SigBlk": "0000000000000000", "SigIgn": "0000000000000000",
	} {
		if got := fieldOf(t, status, field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	for row, want := range map[string]string{"Max open files": "123", "Max core file size": "0", "Max processes": "456", "Max stack size": "1048576"} {
		if soft, hard := limitOf(t, pid, row); soft != want || hard != want {
			t.Errorf("%s: %s %s, want %s", row, soft, hard, want)
		}
	}
	env := strings.Split(strings.TrimSuffix(readFile(t, proc+"/environ"), "\x00"), "\x00")
	slices.Sort(env)
	want := []string{"HOME=/nonexistent", "LOGNAME=nobody", "ONE=1.10", "PATH=/bin", "TM_NAME=probe:0", "TM_NUM=0",
		"TM_PROGRAM=probe", "TM_STATE=" + h.State, "USER=nobody", "YES=yes", "ZERO="}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("environment: -want +got:\n%s", diff)
	}
	if cwd := readLink(t, proc+"/cwd"); cwd != "/usr" {
		t.Errorf("working directory %s", cwd)
	}
	if adj := strings.TrimSpace(readFile(t, proc+"/oom_score_adj")); adj != "321" {
		t.Errorf("oom_score_adj %s", adj)
	}
	if nice := strings.Fields(readFile(t, proc+"/stat"))[18]; nice != "5" {
		t.Errorf("nice %s", nice)
	}
	if fds := readDir(t, proc+"/fd"); !slices.Equal(fds, []string{"0", "1", "2"}) {
		t.Errorf("descriptors %v", fds)
	}
	d.Stop()
}

// A user or group that is not in /etc/passwd or /etc/group is asked of the
// getent(1) and id(1) of tmd's PATH.
func TestUserOfADirectory(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
defaults: {cmd: sleep 1000, starttime: 0}
programs:
  user: {user: ldapuser}
  group: {group: ldapgroup}
`)
	commands := filepath.Join(h.Dir, "bin")
	if err := os.Mkdir(commands, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"getent": `case "$1 $2" in
"passwd ldapuser") echo ldapuser:x:4321:4322:L:/home/l:/bin/sh ;;
"group ldapgroup") echo ldapgroup:x:4399: ;;
*) exit 2 ;;
esac`,
		"id": `[ "$*" = "-G ldapuser" ] && echo 4322 5000`,
	} {
		if err := os.Chmod(h.File("bin/"+name, "#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.Env = []string{"PATH=" + commands + ":" + os.Getenv("PATH")}
	d := h.Start()
	for name, want := range map[string][]string{
		"user:0":  {"4321\t4321\t4321\t4321", "4322\t4322\t4322\t4322", "4322 5000"},
		"group:0": {"0\t0\t0\t0", "4399\t4399\t4399\t4399", "4399"},
	} {
		status := readFile(t, fmt.Sprintf("/proc/%d/status", awaitSleep(h, name)))
		for i, field := range []string{"Uid", "Gid", "Groups"} {
			if got := fieldOf(t, status, field); got != want[i] {
				t.Errorf("%s: %s %q, want %q", name, field, got, want[i])
			}
		}
	}
	d.Stop()
}
