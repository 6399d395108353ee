package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestBashCompletion runs the completion of bash as bash would.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	d := newDaemon(t)
	env := home(t, d)
	for line, want := range map[string]string{
		"tmctl sta":                         "start status",
		"tmctl start ":                      "all db db:0 evil evil:0 none web web:10",
		"tmctl start web:1":                 "10", // bash's word begins behind the colon
		"tmctl start -":                     "-n -t",
		"tmctl tail web:0 std":              "stderr stdout",
		"tmctl wait web:0 run":              "running",
		"tmctl -s " + d.address + " pid we": "web web:0 web:2",
		"tmctl -k /etc/passw":               "/etc/passwd",
		"tmctl frobnicate ":                 "",
	} {
		script := `source ../completions/tmctl.bash
			COMP_LINE=$1 COMP_POINT=${#1}
			_tmctl
			printf '%s\n' "${COMPREPLY[@]}"`
		cmd := exec.Command("bash", "-c", script, "bash", line)
		cmd.Env = env
		output, err := cmd.CombinedOutput()
		got := strings.Fields(string(output))
		got = slices.DeleteFunc(got, func(word string) bool { return word == "/etc/passwd-" })
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, %v; want %q", line, got, err, want)
		}
	}
}
