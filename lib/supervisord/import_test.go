package supervisord

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write testdata/*.yaml anew")

// TestImport compares what each configuration in testdata comes to. That tmd
// takes it is held by a test there.
func TestImport(t *testing.T) {
	t.Setenv("HOME", "/home/visor")
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d configurations, error %v", len(files), err)
	}
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got, err := Import(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(got), here, "HERE")
			golden := strings.TrimSuffix(file, ".conf") + ".yaml"
			if *update {
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), text); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestNothingDropped holds that every key of every file in testdata is in the
// result, translated or as a comment, but for those that say their default.
func TestNothingDropped(t *testing.T) {
	for _, k := range programKeys {
		if k.turn == nil && !strings.HasPrefix(k.name, "std") && k.name != "redirect_stderr" {
			t.Errorf("nothing becomes of %s", k.name)
		}
	}
	conf := filepath.Join(t.TempDir(), "all.conf")
	text := "[program:x]\n"
	for _, k := range programKeys {
		text += k.name + "=" + sample(k.name) + "\n"
	}
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := Import(conf)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cmd: /bin/x", "process_name=", "numprocs: 7", "numprocs_start=7", "priority: 7", "autostart: false", "starttime: 7",
		"startretries: 7", "autorestart: unexpected", "exitcodes: [7]", "stopsignal: HUP", "stoptime: 7", "stopgroup: group",
		"user: nobody", "stdout: {file: /stdout_logfile, maxbytes: 7MB, backups: 7}",
		"stderr: {file: /stderr_logfile, maxbytes: 7MB, backups: 7}", "stdout_capture_maxbytes=", "stdout_events_enabled=",
		"stderr_capture_maxbytes=", "stderr_events_enabled=", "syslog:", "env: {A: b}", "workingdir: /dir", "umask: 007", "serverurl=",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// sample is a value for a key that is not its default.
func sample(key string) string {
	switch key {
	case "command":
		return "/bin/x"
	case "process_name":
		return "x_%(process_num)d"
	case "autostart", "redirect_stderr":
		return "false"
	case "autorestart":
		return "unexpected"
	case "stopsignal":
		return "hup"
	case "user":
		return "nobody"
	case "environment":
		return `A="b"`
	case "directory":
		return "/dir"
	case "serverurl":
		return "http://127.0.0.1:9001"
	case "stdout_logfile", "stderr_logfile":
		return "/" + key
	}
	switch {
	case strings.HasSuffix(key, "maxbytes"):
		return "7MB"
	case strings.HasSuffix(key, "asgroup"), strings.HasSuffix(key, "enabled"), strings.HasSuffix(key, "syslog"):
		return "true"
	}
	return "7"
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"key=value\n", "x.conf:1: a key before the first section"},
		{"[program:x]\n\n; fine\nnothing\n", "x.conf:4: neither a section nor key=value"},
		{"[program:x]\n=value\n", "x.conf:2: neither a section nor key=value"},
		{"[include]\nfiles=[\n", `include: "`},
		{"[include]\nfiles=%(ENV_TM_TEST_UNSET)s/*.conf\n", "include: TM_TEST_UNSET is not set in the environment"},
	} {
		file := filepath.Join(t.TempDir(), "x.conf")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Import(file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := Import("testdata/missing"); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestInclude holds that variables are replaced in the names of files, and
// that a name without file is told.
func TestInclude(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"x.conf":          "[include]\nfiles=%(ENV_TM_TEST_SITE)s/[!x]*.conf none%%/*.ini\n",
		"blue/first.conf": "[program:first]\ncommand=%(here)s/first\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TM_TEST_SITE", "blue")
	out, err := Import(filepath.Join(dir, "x.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cmd: " + dir + "/blue/first\n", "# [include] no file matches " + dir + "/none%/*.ini\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestSplitWords has what Python's shlex.split makes of the same text.
func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`a  b	c`, []string{"a", "b", "c"}},
		{`a'b c'd "e f"`, []string{"ab cd", "e f"}},
		{`"a\"b" "a\\b" "a\nb" 'a\nb' a\ b`, []string{`a"b`, `a\b`, `a\nb`, `a\nb`, "a b"}},
		{`'' ""`, []string{"", ""}},
		{"", nil},
	} {
		got, ok := splitWords(c.text)
		if d := cmp.Diff(c.want, got); d != "" || !ok {
			t.Errorf("%q, closed %v: %s", c.text, ok, d)
		}
	}
	if _, ok := splitWords(`a "b`); ok {
		t.Error("an open quote was taken")
	}
}

func TestParseEnvironment(t *testing.T) {
	for _, c := range []struct {
		text string
		want [][2]string
	}{
		{`A="1,2",B='q"x',D="pct%%"`, [][2]string{{"A", "1,2"}, {"B", `q"x`}, {"D", "pct%%"}}},
		{"A=1 , B=\"x y\"\nC=2,", [][2]string{{"A", "1"}, {"B", "x y"}, {"C", "2"}}},
		{`A=1,B=2,A=3`, [][2]string{{"B", "2"}, {"A", "3"}}},
		{`A="\d\\d",B=`, [][2]string{{"A", `\d\\d`}, {"B", ""}}},
		{`A='it\',B="\",C='"q"'`, [][2]string{{"A", `it\`}, {"B", `\`}, {"C", "q"}}},
		{"", nil},
	} {
		got, err := parseEnvironment(c.text)
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%q: %v %s", c.text, err, d)
		}
	}
	for _, wrong := range []string{"A", `A="b`, `A="say \"hi\""`, `A="b"c`, `A=b"c"`, `="x"`, `A B=c`} {
		if got, err := parseEnvironment(wrong); err == nil {
			t.Errorf("%q is taken for %v", wrong, got)
		}
	}
}

// FuzzImport holds that any text is either refused or becomes YAML in which
// every program is a map.
func FuzzImport(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.conf")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("[program:a\x1b]\ncommand=\x00\xff\n[program:\u2028]\nenvironment=A=\"\x07\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		conf := &config{files: map[string]bool{}}
		if err := conf.parse("x.conf", "/here", text); err != nil {
			return
		}
		out := translate(conf, "x.conf")
		var got struct {
			Taskmaster map[string]any
			Defaults   map[string]any
			Programs   map[string]map[string]any
		}
		if err := yaml.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
	})
}
