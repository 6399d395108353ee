package security_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

// procStatus is the fields of /proc/PID/status that say what a process may do.
func procStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	return statusFields(string(text))
}

func statusFields(text string) map[string]string {
	fields := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

const noCapability = "0000000000000000"

// A program with user: has that user's ids in all four places, its groups and
// no other, no capability of any kind though tmd was given some to pass on,
// and no descriptor beyond 0, 1 and 2; and so has the command that probes it.
func TestUserHasNoWayBack(t *testing.T) {
	t.Parallel()
	tmtest.Need(t, "setpriv", "util-linux")
	h := tmtest.NewHost(t, `
defaults: {cmd: sleep 1000, starttime: 0, stdout: '%(here)s/out.%(program_name)s', stderr: stdout}
programs:
  plain: {user: nobody}
  hard: {user: nobody, no_new_privs: true, limits: {nofile: 64}, nice: 5, env: {GODEBUG: x}}
  logged: {user: nobody, stdout: {file: '%(here)s/out.log'}}
  ready: {user: nobody, ready: {sd_notify: true}, starttime: 0, cmd: 'sh -c "sleep 1000 & wait"'}
  probed: {user: nobody, no_new_privs: true, ready: {cmd: 'sh -c "cat /proc/self/status >out.probe"'}, workingdir: '%(here)s'}
`)
	for _, name := range []string{"out.plain", "out.hard", "out.ready", "out.probed", "out.probe"} {
		h.File(name, "")
		if err := os.Chown(filepath.Join(h.Dir, name), 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	h.StartBy([]string{"setpriv", "--inh-caps", "+net_raw,+sys_admin", "--ambient-caps", "+net_raw", "--groups", "0,4,27"})
	h.Await("RUNNING", "plain:0", "hard:0", "logged:0", "probed:0")
	h.Await("STARTING", "ready:0")
	unprivileged(t, "the probe", statusFields(h.Read("out.probe")), true)
	for _, name := range []string{"plain:0", "hard:0", "logged:0", "ready:0"} {
		// Its exec stage, which is tmsupervise still, precedes it.
		tmtest.Until(t, func() bool { return !slices.Contains(h.Children("tmsupervise"), h.PID(name)) }, "%s is executed", name)
		unprivileged(t, name, procStatus(t, h.PID(name)), name == "hard:0")
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.PID(name)))
		if err != nil {
			t.Fatal(err)
		}
		var numbers []string
		for _, fd := range fds {
			numbers = append(numbers, fd.Name())
		}
		if strings.Join(numbers, " ") != "0 1 2" {
			t.Errorf("%s: descriptors %v", name, numbers)
		}
	}
}

// unprivileged checks the status of a process that is to be nobody's alone.
func unprivileged(t *testing.T, name string, now map[string]string, noNewPrivs bool) {
	t.Helper()
	const uid = "65534 65534 65534 65534"
	for field, want := range map[string]string{
		"Uid": uid, "Gid": uid, "Groups": "65534", "CapInh": noCapability, "CapPrm": noCapability,
		"CapEff": noCapability, "CapAmb": noCapability, "SigIgn": noCapability, "SigBlk": noCapability,
		"NoNewPrivs": map[bool]string{true: "1", false: "0"}[noNewPrivs],
	} {
		if now[field] != want {
			t.Errorf("%s: %s is %q, want %q", name, field, now[field], want)
		}
	}
}

// intruder tries all that a program of another user might, and says what it
// could do.
const intruder = `#!/bin/sh
try() { "$@" </dev/null >/dev/null 2>&1 && echo "could: $*"; }
try ls $TM_STATE
try cat $TM_STATE/secret
try cat $TM_STATE/run/$TM_NAME/spec
try cat $TM_STATE/run/$TM_NAME/status
try cat /proc/$PPID/environ
try cat /proc/$PPID/mem
try ls /proc/$PPID/fd
try ls /proc/$PPID/cwd
try kill -0 $PPID
try kill -STOP $PPID
for fifo in events run/$TM_NAME/control run/other:0/control log/x eventlog mail; do
	try sh -c "echo stop >$TM_STATE/$fifo"
	try sh -c "exec 3<>$TM_STATE/$fifo"
done
for fd in 3 4 5 6 7 8 9; do
	try sh -c "echo stop >&$fd"
	try sh -c "exec <&$fd"
done
try setpriv --reuid 0 true
try setpriv --init-groups true
try mkdir $TM_STATE/run/planted
try mv $TM_STATE $TM_STATE.old
echo done
`

// What runs as another user reaches neither the FIFOs nor the keepers.
func TestAnotherUserReachesNothing(t *testing.T) {
	t.Parallel()
	tmtest.Need(t, "setpriv", "util-linux")
	h := tmtest.NewHost(t, `
programs:
  other: {cmd: sleep 1000, starttime: 0}
  intruder: {cmd: '%(here)s/intruder', user: nobody, autorestart: never, starttime: 0, stdout: {file: '%(here)s/found'}}
`)
	if err := os.Chmod(h.File("intruder", intruder), 0o755); err != nil {
		t.Fatal(err)
	}
	h.Start()
	h.Await("EXITED", "intruder:0")
	tmtest.Until(t, func() bool { return strings.Contains(h.Read("found"), "done\n") }, "its output is written")
	if found := h.Read("found"); found != "done\n" {
		t.Errorf("a program of another user could do this:\n%s", found)
	}
	if now := h.Status("other:0"); now.State != "RUNNING" || now.Restarts != 0 {
		t.Errorf("other:0 is %s", now.Line())
	}
}

// A process of tmd's own user can write to the events FIFO. tmd may log what
// it says there, but neither believes nor does anything for it.
func TestEventsAreNotBelieved(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	h.Await("RUNNING", "web:0")
	pid, helper := h.PID("web:0"), h.Helper("web:0")
	events, err := os.OpenFile(h.State+"/events", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	for _, text := range []string{
		"2026-11-22T14:03:07.123Z web:0 exited pid=1 code=1 expected=no uptime=1 left=0\n",
		"2026-11-22T14:03:07.123Z web:0 fatal try=4 reason=forged\n",
		"2026-11-22T14:03:07.123Z web:0 stopped\n",
		"2026-11-22T14:03:07.123Z nosuch:0 starting pid=1\n",
		"2026-11-22T14:03:07.123Z tmd stopping by=forged\n",
		"garbage\n", "\n", "\x00\x1b[2J\n", strings.Repeat("x", 3000) + "\n", "torn",
	} {
		if _, err := events.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	events.WriteString("\n2026-11-22T14:03:07.123Z tmd mail last=1\n")
	h.AwaitLog("mail last=1")
	if got := strings.Fields(h.OK("status", "-p")); got[1] != "RUNNING" {
		t.Errorf("tmd believed an event: %v", got)
	}
	if h.PID("web:0") != pid || h.Helper("web:0") != helper {
		t.Error("something was started for an event's word")
	}
	if strings.ContainsAny(h.Log(), "\x00\x1b") || regexp.MustCompile("(?m)^(garbage|torn|x+)?$").MatchString(strings.TrimSpace(h.Log())) {
		t.Errorf("lines that are no events are in the log:\n%q", h.Log())
	}
}

// What a control FIFO is given beyond its commands costs a warning.
func TestControlGarbage(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	d := h.Start()
	h.Await("RUNNING", "web:0")
	pid, helper := h.PID("web:0"), h.Helper("web:0")
	control, err := os.OpenFile(h.State+"/run/web:0/control", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	for _, text := range []string{
		"\n", " \n", "nonsense\n", "STOP\n", "stop seq=x\n", "signal\n", "signal NOPE\n", "signal 65\n", "signal -1\n",
		"reaped\n", "reaped 1\n", "reaped x y\n", "ready now=%zz\n", "%\n", "\x00\x01\x1b]0;x\a\n", "start seq=99999999999999999999\n",
		"pending %1B[31m\n", strings.Repeat("stop ", 900) + "\n", "sick\x00\n",
	} {
		if _, err := control.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	control.WriteString("signal CONT\nlast-one\n")
	tmtest.Until(t, func() bool { return strings.Contains(d.Stderr(), "last-one") }, "all of it was read")
	if now := h.Status("web:0"); now.PID != pid || h.Helper("web:0") != helper || now.State != "RUNNING" {
		t.Errorf("something was obeyed: %s", now.Line())
	}
	if strings.ContainsAny(d.Stderr(), "\x00\x1b\a") {
		t.Errorf("raw control characters were said: %q", d.Stderr())
	}
}
