package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"taskmaster/lib/config"
)

// load reads a configuration as root would.
func load(t *testing.T, text string) *config.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "taskmaster.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := config.DefaultOptions()
	o.Root, o.Hostname = true, "HOST"
	file, mistakes := config.Load(path, o)
	if len(mistakes) > 0 {
		t.Fatalf("%v in\n%s", mistakes, text)
	}
	return file
}

// documented returns the keys of one section of taskmaster.yaml.5 with what
// stands in the parentheses behind each.
func documented(t *testing.T, from, to string) map[string]string {
	t.Helper()
	_, text, ok := strings.Cut(source(t, "taskmaster.yaml.5"), "\n.Sh "+from+"\n")
	if !ok {
		t.Fatalf("no section %s", from)
	}
	text, _, _ = strings.Cut(text, "\n.Sh "+to+"\n")
	keys := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^\.It (?:Ic|Cm) ([a-z_]+)(\*?) Pq (.*)$`).FindAllStringSubmatch(text, -1) {
		keys[found[1]] = found[3]
		if found[2] == "*" {
			keys[found[1]+" launches"] = ""
		}
	}
	return keys
}

// TestProgramKeys compares keys, defaults and the mark of those that restart a
// program with what tmd knows.
func TestProgramKeys(t *testing.T) {
	t.Parallel()
	keys := load(t, "programs: {web: {cmd: x}}\n").Programs[0].Instances[0].Keys
	page := documented(t, "PROGRAMS", "READINESS")
	if len(keys) < 30 {
		t.Fatalf("a program has %d keys", len(keys))
	}
	n := 0
	for _, k := range keys {
		want := "default " + k.Value
		if k.Name == "cmd" {
			want = "required"
		}
		if got, ok := page[k.Name]; !ok || got != want {
			t.Errorf("%s is %q, the manual has %q", k.Name, want, got)
		}
		if _, launches := page[k.Name+" launches"]; launches != k.Launch {
			t.Errorf("%s restarts: %v, the manual says %v", k.Name, k.Launch, launches)
		}
		n++
	}
	for name := range page {
		if strings.HasSuffix(name, " launches") {
			n++
		}
	}
	if n != len(page) {
		t.Errorf("the manual has %d keys, tmd %d", len(page), n)
	}
}

func TestLogMapKeys(t *testing.T) {
	t.Parallel()
	page := documented(t, "LOG MAPS", "MAIL")
	n := 1 // file
	for _, k := range load(t, "programs: {web: {cmd: x, stdout: {file: /x}}}\n").Programs[0].Instances[0].Keys {
		name, ok := strings.CutPrefix(k.Name, "stdout.")
		if !ok {
			continue
		}
		n++
		if page[name] != "default "+k.Value {
			t.Errorf("%s is %q, the manual has %q", name, k.Value, page[name])
		}
	}
	if n != len(page) || page["file"] != "required" {
		t.Errorf("the manual has %d keys, tmd %d", len(page), n)
	}
}

// TestSettingsKeys uses each key of taskmaster: and mail: once, so that the
// manual can have none that is not known, and compares their defaults.
func TestSettingsKeys(t *testing.T) {
	t.Parallel()
	set := load(t, "taskmaster: {mail: {to: [a@example.org]}}\nprograms: {}\n").Settings
	mail := load(t, "taskmaster: {mail: {to: [a@example.org], server: mail.example.org:25}}\nprograms: {}\n").Settings.Mail
	for _, c := range []struct{ key, got string }{
		{"listen", set.Listen}, {"auth", set.Auth}, {"state", "/run/taskmaster"}, {"secret", "STATE/secret"},
		{"readonly_secret", "none"}, {"log", "STATE/taskmaster.log"}, {"mail", "none"}, {"include", "none"},
	} {
		if want := documented(t, "SETTINGS", "PROGRAMS")[c.key]; want != "default "+c.got {
			t.Errorf("%s is %q, the manual has %q", c.key, c.got, want)
		}
	}
	short := func(text string) string { return strings.TrimSuffix(text, "0s") }
	page := documented(t, "MAIL", "FILES")
	for _, c := range []struct{ key, want string }{
		{"to", "required"}, {"from", "default " + set.Mail.From}, {"server", "default " + set.Mail.Server}, {"tls", "default " + mail.TLS},
		{"user", "default none"}, {"password_file", "default none"}, {"spool", "default a directory below /var/spool/tmmail"},
		{"events", "default [" + strings.Join(set.Mail.Events, ", ") + "]"}, {"group_wait", "default " + set.Mail.GroupWait.String()},
		{"group_interval", "default " + short(set.Mail.GroupInterval.String())}, {"max_per_hour", "default 20"},
	} {
		if page[c.key] != c.want {
			t.Errorf("%s: want %q, the manual has %q", c.key, c.want, page[c.key])
		}
		delete(page, c.key)
	}
	if len(page) > 0 || set.Mail.MaxPerHour != 20 {
		t.Errorf("unknown keys %v", page)
	}
}

// TestProbeDefaults compares what `show` prints of a probe.
func TestProbeDefaults(t *testing.T) {
	t.Parallel()
	in := load(t, "programs: {web: {cmd: x, ready: {tcp: \"localhost:80\"}, check: {tcp: \"localhost:80\"}}}\n").Programs[0].Instances[0]
	text := page(t, "taskmaster.yaml.5")
	for _, k := range in.Keys {
		if k.Name != "ready" && k.Name != "check" {
			continue
		}
		part := section(t, text, map[string]string{"ready": "READINESS", "check": "CHECKS"}[k.Name],
			map[string]string{"ready": "ORDER", "check": "LOG MAPS"}[k.Name])
		for _, field := range strings.Split(strings.Trim(k.Value, "{}"), ", ")[1:] {
			name, value, _ := strings.Cut(field, ": ")
			if want := name + " (default " + value + ")"; !strings.Contains(part, want) {
				t.Errorf("%s: the manual lacks %q", k.Name, want)
			}
		}
	}
}
