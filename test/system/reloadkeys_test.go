package system_test

import (
	"strconv"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

// launchKeys and policyKeys are all keys of a program, each with another
// value than its default; cmd and numprocs are tried elsewhere.
var launchKeys = []string{
	"env: {A: 1}", "clearenv: true", "workingdir: /usr", "umask: 27", "user: nobody", "group: daemon", "no_new_privs: true",
	`stdout: "%(here)s/out"`, `stderr: "%(here)s/err"`, `stdout: {file: "%(here)s/log"}`, "limits: {nofile: 100}", "nice: 3",
	"oom_score_adj: 7", "background: follow",
}

var policyKeys = []string{
	"autostart: false", "autorestart: always", "exitcodes: [3]", "starttime: 0.5", "startretries: 7", "stopsignal: INT",
	"stoptime: 3", "stopgroup: process", "priority: 5", "backoff: {first: 2s, max: 9s}", `description: "other"`,
	"after: [other]", "check: {cmd: 'true'}", "ready: {tcp: '127.0.0.1:1'}",
}

// A reload restarts a program for a changed launch key, and that program
// only; a policy key is changed in place. `reload -n` says which before.
func TestReloadKeys(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {}\n")
	config := func(keys string) string {
		return "programs:\n  web: {cmd: sleep 1000, " + keys + "}\n  other: {cmd: sleep 1000, starttime: 0}\n"
	}
	h.Write(config("starttime: 0"))
	d := h.Start()
	h.Await("RUNNING", "web:0", "other:0")
	other := h.PID("other:0")
	pid := h.PID("web:0")
	// restarted tells whether the reload to other keys restarted the program.
	restarted := func(keys string) (plan string, restarted bool) {
		t.Helper()
		h.Write(config(keys))
		plan = h.OK("reload", "-n")
		if done := h.OK("reload"); done != plan {
			t.Errorf("%s: the reload did\n%s, planned\n%s", keys, done, plan)
		}
		if h.PID("other:0") != other {
			t.Fatalf("%s: the other program was restarted", keys)
		}
		if again := h.OK("reload"); again != "" {
			t.Errorf("%s: a second reload did\n%s", keys, again)
		}
		if state := h.Status("web:0").State; state != "RUNNING" {
			t.Errorf("%s: it is %s", keys, state)
		}
		was := pid
		pid = h.PID("web:0")
		return plan, pid != was
	}
	for _, key := range launchKeys {
		name, _, _ := strings.Cut(key, ":")
		for _, keys := range []string{key + ", starttime: 0", "starttime: 0"} {
			plan, did := restarted(keys)
			if !did || !strings.Contains(plan, "~ web:0 restart (") || !strings.Contains(plan, name) {
				t.Errorf("%s: restarted %v, the plan was\n%s", keys, did, plan)
			}
		}
	}
	for _, key := range policyKeys {
		name, _, _ := strings.Cut(key, ":")
		if name != "starttime" {
			key += ", starttime: 0"
		}
		plan, did := restarted(key)
		if did || strings.Contains(plan, "~") || !strings.Contains(plan, ". web:0 "+name+" ") {
			t.Errorf("%s: restarted %v, the plan was\n%s", key, did, plan)
		}
	}
	d.Stop()
}

// A change inside a log map restarts its tmlog only, and no line is lost.
func TestReloadLogMap(t *testing.T) {
	t.Parallel()
	config := func(more string) string {
		return `
programs:
  web:
    cmd: [sh, -c, "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.01; done"]
    starttime: 0
    stdout: {file: "%(here)s/web.log"` + more + `}
`
	}
	h := tmtest.NewHost(t, config(""))
	d := h.Start()
	h.Await("RUNNING", "web:0")
	tmtest.Until(t, func() bool { return strings.Contains(h.Read("web.log"), "line 5\n") }, "lines are logged")
	pid := h.PID("web:0")
	loggers := len(h.Children("tmlog"))
	h.Write(config(", maxbytes: 1MB, timestamp: rfc3339"))
	plan := h.OK("reload")
	if !strings.Contains(plan, "stdout.maxbytes") || strings.Contains(plan, "~") {
		t.Errorf("the plan was\n%s", plan)
	}
	tmtest.Until(t, func() bool { return strings.Contains(h.Read("web.log"), "Z line ") }, "lines are stamped")
	if h.PID("web:0") != pid {
		t.Error("the program was restarted")
	}
	if now := len(h.Children("tmlog")); now != loggers {
		t.Errorf("%d tmlogs, were %d", now, loggers)
	}
	d.Stop()
	holdSequence(t, h.Read("web.log"))
}

// holdSequence holds that lines that end in numbers are all there, in order.
func holdSequence(t *testing.T, text string) {
	t.Helper()
	next := 1
	for row := range strings.Lines(text) {
		if !strings.HasSuffix(row, " "+strconv.Itoa(next)+"\n") {
			t.Fatalf("line %d is %q", next, row)
		}
		next++
	}
}
