package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what Load does now into testdata")

// testOptions are the same on every machine.
func testOptions() Options {
	env := map[string]string{"ADDRESS": "10.1.2.3", "EMPTY": "", "OPTIONS": "-v --fast"}
	return Options{
		Getenv:   func(name string) (string, bool) { text, ok := env[name]; return text, ok },
		Root:     true,
		Hostname: "thishost",
		Dir:      "/srv",
		Run:      getentOfTest,
	}
}

// getentOfTest knows one user and one group that no /etc/passwd has.
func getentOfTest(argv ...string) ([]byte, error) {
	switch strings.Join(argv, " ") {
	case "getent passwd ldapuser", "getent passwd 70001":
		return []byte("ldapuser:*:70001:70002:From LDAP:/home/ldapuser:/bin/sh\n"), nil
	case "id -G ldapuser":
		return []byte("70002 70003\n"), nil
	case "getent group ldapgroup", "getent group 70003":
		return []byte("ldapgroup:*:70003:ldapuser\n"), nil
	}
	return nil, errors.New("exit status 2")
}

// TestGood compares all that a good file says with the dump beside it.
func TestGood(t *testing.T) {
	t.Parallel()
	for _, path := range yamlFiles(t, "testdata/good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			file, mistakes := Load(path, testOptions())
			if len(mistakes) > 0 {
				t.Fatalf("mistakes in a good file:\n%v", mistakes)
			}
			compare(t, strings.TrimSuffix(path, ".yaml")+".want", dump(file))
		})
	}
}

// TestBad compares the mistakes of a bad file with the messages beside it.
func TestBad(t *testing.T) {
	t.Parallel()
	for _, path := range yamlFiles(t, "testdata/bad") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, mistakes := Load(path, testOptions())
			if len(mistakes) == 0 {
				t.Fatal("no mistake found")
			}
			compare(t, strings.TrimSuffix(path, ".yaml")+".want", mistakes.Error()+"\n")
		})
	}
}

func yamlFiles(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	return paths
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has\n%s\nbut Load says\n%s", golden, want, got)
	}
}

// dump writes a File: the settings, then of each instance what differs from
// one of which nothing but cmd is said, and the keys that the file gives.
func dump(f *File) string {
	var out strings.Builder
	for _, w := range f.Warnings {
		fmt.Fprintln(&out, w)
	}
	out.WriteString("settings\n")
	dumpFields(&out, f.Settings, Settings{})
	for _, p := range f.Programs {
		fmt.Fprintf(&out, "program %s, line %d, %d instances\n", p.Name, p.Line, p.Numprocs)
		for _, in := range p.Instances {
			fmt.Fprintf(&out, "instance %s\n", in.Name)
			dumpFields(&out, *in, bare)
			dumpFields(&out, *in.Values, *bare.Values)
			for _, k := range in.Keys {
				if k.Line > 0 {
					fmt.Fprintf(&out, "    %d: %s %s%s\n", k.Line, k.Name, k.Value, map[bool]string{true: " (launch)"}[k.Launch])
				}
			}
		}
	}
	return out.String()
}

func dumpFields(out *strings.Builder, of, usual any) {
	v, u := reflect.ValueOf(of), reflect.ValueOf(usual)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name != "Keys" && name != "Values" && !reflect.DeepEqual(v.Field(i).Interface(), u.Field(i).Interface()) {
			fmt.Fprintf(out, "  %s: %s\n", name, describe(v.Field(i)))
		}
	}
}

// bare is an instance of a program with nothing but a cmd, as the table in
// taskmaster.yaml(5) has it.
var bare = Instance{
	Name: "bare:0", Program: "bare",
	Values: &Values{
		Cmd: []string{"x"}, Env: []string{}, Umask: -1,
		Stdout: Output{Kind: "discard"}, Stderr: Output{Kind: "discard"}, Background: "kill",
		Autostart: true, Autorestart: "unexpected", ExitCodes: []int{0}, StartTime: time.Second, StartRetries: 3,
		StopSignal: 15, StopTime: 10 * time.Second, StopGroup: "tree", Priority: 999,
		BackoffFirst: time.Second, BackoffMax: time.Minute,
	},
}

// bareKeys are all keys of it.
var bareKeys = []*Key{
	{Name: "cmd", Value: "x", Launch: true},
	{Name: "numprocs", Value: "1"},
	{Name: "autostart", Value: "true"},
	{Name: "autorestart", Value: "unexpected"},
	{Name: "exitcodes", Value: "[0]"},
	{Name: "starttime", Value: "1s"},
	{Name: "startretries", Value: "3"},
	{Name: "stopsignal", Value: "TERM"},
	{Name: "stoptime", Value: "10s"},
	{Name: "stopgroup", Value: "tree"},
	{Name: "background", Value: "kill", Launch: true},
	{Name: "stdout", Value: "discard", Launch: true},
	{Name: "stderr", Value: "discard", Launch: true},
	{Name: "env", Value: "{}", Launch: true},
	{Name: "clearenv", Value: "false", Launch: true},
	{Name: "workingdir", Value: "tmd's", Launch: true},
	{Name: "umask", Value: "tmd's", Launch: true},
	{Name: "user", Value: "tmd's", Launch: true},
	{Name: "group", Value: "tmd's", Launch: true},
	{Name: "no_new_privs", Value: "false", Launch: true},
	{Name: "priority", Value: "999"},
	{Name: "limits", Value: "{}", Launch: true},
	{Name: "nice", Value: "tmd's", Launch: true},
	{Name: "oom_score_adj", Value: "tmd's", Launch: true},
	{Name: "backoff", Value: "{first: 1s, max: 1m}"},
	{Name: "description", Value: "''"},
	{Name: "ready", Value: "none"},
	{Name: "after", Value: "[]"},
	{Name: "check", Value: "none"},
	{Name: "watchdog", Value: "none"},
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	in := load(t, "programs: {bare: {cmd: x}}").Programs[0].Instances[0]
	keys := in.Keys
	keys[0].Line, keys[0].File = 0, ""
	if diff := cmp.Diff(bareKeys, keys); diff != "" {
		t.Errorf("keys of a bare program (-want +got):\n%s", diff)
	}
	in.Keys = nil
	if diff := cmp.Diff(bare, *in); diff != "" {
		t.Errorf("a bare program (-want +got):\n%s", diff)
	}
}

// write puts text into a configuration file of its own.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "taskmaster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// load reads text, which must be without a mistake.
func load(t *testing.T, text string) *File {
	t.Helper()
	file, mistakes := Load(write(t, text), testOptions())
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	return file
}

// describe is %+v that follows pointers.
func describe(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return "nil"
	case v.Kind() == reflect.Pointer:
		return describe(v.Elem())
	case v.Kind() != reflect.Struct:
		return strings.TrimPrefix(fmt.Sprintf("%#v", v.Interface()), "[]string")
	}
	var fields []string
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			fields = append(fields, v.Type().Field(i).Name+"="+describe(v.Field(i)))
		}
	}
	return "{" + strings.Join(fields, " ") + "}"
}

// TestProgramsTakeLittleMemory: tmd holds thousands of programs. Tests beside
// it would disturb it.
func TestProgramsTakeLittleMemory(t *testing.T) {
	const programs, most = 1000, 1300 // bytes of each
	text := strings.Builder{}
	text.WriteString("programs:\n")
	for i := range programs {
		fmt.Fprintf(&text, "  p%d: {cmd: [x, '%d']}\n", i, i)
	}
	before := heapInUse()
	file := load(t, text.String())
	if each := (heapInUse() - before) / programs; each > most {
		t.Errorf("%d bytes for each program, want at most %d", each, most)
	}
	runtime.KeepAlive(file)
}

func heapInUse() int {
	runtime.GC()
	runtime.GC() // what the first has found dead is swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
