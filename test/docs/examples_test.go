package docs_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

// An example is one block of an EXAMPLES section, or one of YAML elsewhere.
type example struct{ page, text string }

// unescape gives the text of a literal block as a reader sees it.
var unescape = strings.NewReplacer(`\e`, `\`, `\&`, "", `\(dq`, `"`, `\-`, "-")

// examples extracts all of them from the manual.
func examples(t *testing.T) []example {
	t.Helper()
	files, err := filepath.Glob(manual + "/*.[1-8]")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed$|^\.Dl ([^\n]*)$`)
	var found []example
	for _, file := range files {
		text := source(t, filepath.Base(file))
		at := strings.Index(text, "\n.Sh EXAMPLES")
		end := at + strings.Index(text[at+1:]+"\n.Sh ", "\n.Sh ") + 1
		for _, m := range block.FindAllStringSubmatchIndex(text, -1) {
			inner := ""
			if m[2] >= 0 {
				inner = text[m[2]:m[3]]
			} else {
				inner = text[m[4]:m[5]]
			}
			inner = strings.TrimSpace(unescape.Replace(inner))
			if m[0] > at && m[0] < end || isYAML(inner) {
				found = append(found, example{filepath.Base(file), inner})
			}
		}
	}
	return found
}

var yamlForm = regexp.MustCompile(`(?m)^(programs|taskmaster|defaults|stdout): *($|#|\{)`)

func isYAML(text string) bool { return yamlForm.MatchString(text) }

// TestConfigurationExamples has tmd check every configuration that the manual
// shows, and what is a part of one within one.
func TestConfigurationExamples(t *testing.T) {
	t.Parallel()
	n := 0
	for _, e := range examples(t) {
		if !isYAML(e.text) {
			continue
		}
		n++
		text := e.text
		switch {
		case strings.HasPrefix(text, "stdout:"):
			text = "programs:\n  web:\n    cmd: x\n    " + strings.ReplaceAll(text, "\n", "\n    ")
		case !strings.Contains(text, "programs:"):
			text += "\nprograms: {}\n"
		}
		load(t, text)
	}
	if n < 4 {
		t.Errorf("the manual has %d configurations", n)
	}
}

// A trial says how an example is tried where that takes more than to run it.
type trial struct {
	begins  string   // the example
	notRun  string   // why it is not
	replace []string // words and what stands for them here
}

var trials = []trial{
	{begins: "ssh -N", notRun: "needs a second host"},
	{begins: "(umask 077; ssh", notRun: "needs a second host"},
	{begins: "make install", notRun: "test/packages does that"},
	{begins: "tmd -import /etc/supervisor/supervisord.conf >/etc/taskmaster.yaml", notRun: "would stop the Supervisor of this machine"},
	{begins: "/var/log/", notRun: "a configuration of logrotate"},
	{begins: "$ printf 'hello 1", notRun: "a session, which lib/proto has as a test"},
	{begins: "C: ", notRun: "a session, which lib/proto has as a test"},
	{begins: "2026-", notRun: "event lines, which TestEventLines reads"},
	{begins: "# tmmail -c /etc/taskmaster.yaml -test", notRun: "needs a mail server, as test/mail has one"},
	{begins: "tmd -t -c", replace: []string{"&& tmd -c taskmaster.yaml", "&& exec tmd -c taskmaster.yaml -d second & pid=$!; tail -n +1 -F second/taskmaster.log 2>/dev/null | grep -m1 'tmd started'; env -u TMCTL_SERVER -u TMCTL_SECRET_FILE tmctl -d second shutdown; wait $pid"}},
	{begins: "$ tmctl watch | tmmail", replace: []string{"tmctl watch |", "tmctl watch | head -n 1 |"}},
	{begins: "$ mkfifo ctl", replace: []string{"kill %1", "tail -n +1 -F worker.events | grep -m1 cause=user; kill $!; wait $!"}}, // %1 is for shells with job control
	{begins: "$ tmsupervise -n web", replace: []string{"tmsupervise -n", "tmsupervise -r never -n"}},
}

func trialOf(text string) trial {
	for _, try := range trials {
		if strings.HasPrefix(text, try.begins) {
			return try
		}
	}
	return trial{}
}

// TestCommandExamples runs every command line that the manual shows, beside a
// tmd that has programs of the names used there.
func TestCommandExamples(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: sleep 1000, numprocs: 2}
  db: {cmd: sleep 1000}
  flaky: {cmd: [sh, -c, "sleep 1; exit 1"], starttime: 0, autorestart: always}
`)
	h.Start()
	h.Await("RUNNING", "web:0", "web:1", "db:0")
	h.AwaitLog("flaky:0 exited")
	for name, text := range map[string]string{
		"web": "#!/bin/sh\necho 'ERROR of web'\n", "worker": "#!/bin/sh\nexec sleep 1000\n", "fetch-all": "#!/bin/sh\n",
		"sendmail": "#!/bin/sh\ncat >>" + h.Dir + "/mails\n",
	} {
		if err := os.Chmod(h.File(name, text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf, err := filepath.Abs("../../lib/supervisord/testdata/django.conf")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, e := range examples(t) {
		try := trialOf(e.text)
		if isYAML(e.text) || try.notRun != "" {
			continue
		}
		line := regexp.MustCompile(`(?m)^[$#] `).ReplaceAllString(e.text, "")
		line = strings.NewReplacer(try.replace...).Replace(line)
		line = strings.NewReplacer("/run/taskmaster", h.State, "/etc/supervisor/supervisord.conf", conf, ">taskmaster.yaml", ">imported.yaml",
			"-c taskmaster.yaml", "-c "+h.Config, "tmmail ", "tmmail -g 0 -sendmail "+h.Dir+"/sendmail -S spool ", "-S ~/dba-spool", "").Replace(line)
		if strings.Contains(e.text, "tmd -import") {
			line = strings.ReplaceAll(line, h.Config, "imported.yaml")
		}
		runExample(h, e, line)
		ran++
	}
	if ran < 10 {
		t.Errorf("only %d examples were run", ran)
	}
	if !strings.Contains(h.Read("log/errors"), "ERROR of web") {
		t.Error("the example of tmlog wrote no log/errors")
	}
}

// runExample runs a command line with a limit, and fails when it does.
func runExample(h *tmtest.Host, e example, line string) {
	h.T.Helper()
	address := strings.TrimSpace(h.Read("state/address"))
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = h.Dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(tmtest.Bin("tmd"))+":"+os.Getenv("PATH"), "HOME="+h.Dir,
		"TMCTL_SERVER="+address, "TMCTL_SECRET_FILE="+h.State+"/secret")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		h.T.Fatalf("%v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	tmtest.Until(killing{h.T, cmd.Process.Pid}, func() bool {
		select {
		case err = <-ended:
			return true
		default:
			return false
		}
	}, "%s: this ends: %s", e.page, line)
	if err != nil {
		h.T.Logf("%s: %v\n%s\n%s", e.page, err, line, out.Bytes())
		h.T.Fatalf("an example of %s fails", e.page)
	}
}

// killing ends a process group when a wait was in vain.
type killing struct {
	tmtest.T
	group int
}

func (k killing) Fatalf(format string, args ...any) {
	syscall.Kill(-k.group, syscall.SIGKILL)
	k.T.Fatalf(format, args...)
}

// TestEventLines holds that every event line that a page shows is one.
func TestEventLines(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(manual + "/*.[1-8]")
	keys := eventKeys(t)
	n := 0
	for _, file := range files {
		for _, row := range regexp.MustCompile(`(?m)^(?:S: )?[*]?(2026-\S+Z \S+ [a-z]+ .*)$`).FindAllStringSubmatch(source(t, filepath.Base(file)), -1) {
			kind := strings.Fields(row[1])[2]
			if keys[kind] == nil {
				t.Errorf("%s: %s is no event", file, row[1])
			}
			n++
		}
	}
	if n < 5 {
		t.Errorf("the manual has %d event lines", n)
	}
}
