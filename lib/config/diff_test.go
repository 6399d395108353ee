package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// program is a file with one program of the given keys.
func program(keys string) string { return "programs: {web: {cmd: x, " + keys + "}}" }

func TestDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old, new string
		want           []Change
	}{
		{"nothing", "", "", nil},
		{"spelling", "umask: 022, stoptime: 60, exitcodes: [2, 0], stopsignal: 15, env: {A: 1, B: 2}, limits: {as: 1024KB}",
			`stopsignal: sigterm, umask: "0o22", stoptime: 1m, env: {B: "2", A: "1"}, exitcodes: [0, 2, 0], limits: {as: 1MB}`, nil},
		{"default written out", "", "autorestart: unexpected, priority: 999, backoff: {max: 1m}, ready: ~, stdout: discard", nil},
		{"quotes in cmd", "description: x", `cmd: 'x', description: "x"`, nil},
		{"after in another order", "after: [a, b]", "after: [{name: b, until: running}, a]", nil},
		{"policy and launch", "stoptime: 10, umask: 022", "stoptime: 5s, umask: 077",
			[]Change{{"stoptime", "10s", "5s", false}, {"umask", "022", "077", true}}},
		{"numprocs", "numprocs: 1", "numprocs: 2", nil},
		{"inside a log map", "stdout: {file: /l}", "stdout: {file: /l, maxbytes: 1MB, backups: 5}",
			[]Change{{"stdout.maxbytes", "10MB", "1MB", false}}},
		{"path of a log map", "stdout: {file: /l}", "stdout: {file: /m}",
			[]Change{{"stdout", "{file: /l}", "{file: /m}", true}}},
		{"environment", "env: {A: 1}", "env: {A: 2}",
			[]Change{{"env", "{A: 1}", "{A: 2}", true}}},
		{"readiness", "ready: {notify: 3}", "watchdog: 1m, ready: {sd_notify: true}",
			[]Change{{"ready", "{notify: 3, timeout: 1m, interval: 250ms}", "{sd_notify: true, timeout: 1m, interval: 250ms}", false},
				{"watchdog", "none", "1m", false}}},
	} {
		others := "\n  a: {cmd: x}\n  b: {cmd: x}\n"
		keys := func(text string) []*Key {
			if strings.Contains(text, "cmd:") {
				text = "programs:\n  web: {" + text + "}" + others
			} else {
				text = "programs:\n  web: {cmd: x, " + text + "}" + others
			}
			return load(t, text).Programs[0].Instances[0].Keys
		}
		if diff := cmp.Diff(c.want, Diff(keys(c.old), keys(c.new))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestDiffLogKeys shows that the keys of a log map that is gone are told too.
func TestDiffLogKeys(t *testing.T) {
	t.Parallel()
	with := load(t, program("stdout: {file: /l}")).Programs[0].Instances[0].Keys
	without := load(t, program("stdout: /l")).Programs[0].Instances[0].Keys
	changes := Diff(with, without)
	if len(changes) != len(logFields) || changes[0] != (Change{"stdout", "{file: /l}", "/l", true}) || changes[1].New != "" {
		t.Errorf("from a log map to a path: %+v", changes)
	}
}

// TestDirectory shows that a tmd started elsewhere finds nothing changed.
func TestDirectory(t *testing.T) {
	t.Parallel()
	path := write(t, program("stdout: log/x, stderr: {file: ./y}, workingdir: z"))
	o := testOptions()
	here, _ := Load(path, o)
	o.Dir = "/elsewhere"
	there, _ := Load(path, o)
	a, b := here.Programs[0].Instances[0], there.Programs[0].Instances[0]
	if changes := Diff(a.Keys, b.Keys); len(changes) > 0 {
		t.Errorf("changes by the directory of tmd alone: %+v", changes)
	}
	if a.Stdout.Path != "/srv/log/x" || b.Stderr.Log.File != "/elsewhere/y" || b.WorkingDir != "/elsewhere/z" {
		t.Errorf("paths are %q, %q, %q", a.Stdout.Path, b.Stderr.Log.File, b.WorkingDir)
	}
}

func TestPublicKeys(t *testing.T) {
	t.Parallel()
	in := load(t, program("env: {PASSWORD: hunter2, A: b}")).Programs[0].Instances[0]
	found := false
	for _, k := range in.PublicKeys() {
		if strings.Contains(k.Value, "hunter2") {
			t.Errorf("%s tells the password", k.Name)
		}
		found = found || k.Name == "env" && k.Value == "{A: ***, PASSWORD: ***}"
	}
	if !found || len(in.PublicKeys()) != len(in.Keys) {
		t.Errorf("public keys are %+v", in.PublicKeys())
	}
}

// TestShared shows that thousands of programs do not hold their defaults each
// for itself, nor their instances what is the same for all of them.
func TestShared(t *testing.T) {
	t.Parallel()
	programs := load(t, "defaults: {umask: 022}\nprograms:\n  a: {cmd: x, numprocs: 2, description: '%(name)s'}\n  b: {cmd: y}\n").Programs
	first := programs[0].Instances[0]
	for _, in := range []*Instance{programs[0].Instances[1], programs[1].Instances[0]} {
		for i, k := range in.Keys {
			if one := first.Keys[i]; *k == *one && k != one {
				t.Errorf("%s has a copy of %s: %s", in.Name, k.Name, k.Value)
			}
		}
	}
	same := load(t, program("numprocs: 2, description: '%(program_name)s'")).Programs[0].Instances
	if same[0].Values != same[1].Values || same[1].Name != "web:1" || same[1].Num != 1 {
		t.Errorf("two instances: %+v, %+v", same[0], same[1])
	}
}
