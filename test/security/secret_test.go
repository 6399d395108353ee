package security_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"taskmaster/lib/proto"
	"taskmaster/test/tmtest"

	"golang.org/x/sys/unix"
)

// The secret is 32 random bytes in a file of mode 0600, another for each
// state directory.
func TestSecretIsMade(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 3 {
		h := tmtest.NewHost(t, sleeper)
		h.Start()
		info, err := os.Lstat(h.State + "/secret")
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
		text := h.Read("state/secret")
		if !regexp.MustCompile(`^[0-9a-f]{64}\n$`).MatchString(text) || seen[text] {
			t.Errorf("secret %q", text)
		}
		seen[text] = true
	}
}

// prepared are secret files that neither tmd nor tmctl may use.
var prepared = map[string]func(t *testing.T, path string){
	"open to others":    func(t *testing.T, path string) { os.Chmod(path, 0o604) },
	"open to its group": func(t *testing.T, path string) { os.Chmod(path, 0o640) },
	"another's":         func(t *testing.T, path string) { give(t, path) },
	"short":             func(t *testing.T, path string) { os.Truncate(path, 63) },
	"no newline":        func(t *testing.T, path string) { os.Truncate(path, 64) },
	"empty":             func(t *testing.T, path string) { os.Truncate(path, 0) },
	"capitals":          func(t *testing.T, path string) { os.WriteFile(path, []byte(strings.Repeat("A", 64)+"\n"), 0o600) },
	"a directory": func(t *testing.T, path string) {
		os.Remove(path)
		os.Mkdir(path, 0o700)
	},
	"a FIFO": func(t *testing.T, path string) {
		os.Remove(path)
		mkfifo(t, path)
	},
}

// startWithSecret starts a tmd whose secret is not where the harness looks.
func startWithSecret(h *tmtest.Host, path string) {
	h.Env = []string{"TMCTL_SECRET_FILE=" + path}
	h.Start()
	h.Env = nil
}

func TestSecretIsChecked(t *testing.T) {
	t.Parallel()
	for name, prepare := range prepared {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := tmtest.NewHost(t, sleeper+"taskmaster: {listen: '127.0.0.1:0', secret: '%(here)s/secret'}\n")
			path := h.File("secret", proto.NewSecret()+"\n")
			os.Chmod(path, 0o600)
			startWithSecret(h, path)
			content := strings.TrimSpace(h.Read("secret"))
			address := strings.TrimSpace(h.Read("state/address"))
			prepare(t, path)
			checks := []tmtest.Result{
				h.Run("tmctl", "-s", address, "-k", path, "status"),
				h.Run("tmctl", "-c", h.Config, "-d", h.State, "status"),
				h.Run("tmd", "-c", h.Config, "-d", h.Dir+"/other"),
			}
			for i, want := range []int{100, 102, 100} {
				r := checks[i]
				if r.Code != want || !strings.Contains(r.Stderr, path) {
					t.Errorf("check %d: exit %d, want %d: %q", i, r.Code, want, r.Stderr)
				}
				if strings.Contains(r.Stdout+r.Stderr, content[:32]) {
					t.Errorf("check %d shows the secret: %q", i, r.Stderr)
				}
			}
		})
	}
}

// The secret is in its file, and in no argument, environment or log.
func TestSecretIsNowhereElse(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs: {web: {cmd: sleep 1000, starttime: 0, stdout: {file: '%(here)s/log'}}}
taskmaster: {listen: '127.0.0.1:0', readonly_secret: '%(here)s/readonly', mail: {to: [a@example.org], from: t@example.org, server: '127.0.0.1:9'}}
`)
	d := h.Start()
	h.Await("RUNNING", "web:0")
	before := secretOf(t, h.State+"/secret")
	h.OK("rekey")
	h.OK("reload")
	w := connect(t, h)
	if answer, _ := w.enter(before); answer != strings.TrimSpace(refusal) {
		t.Errorf("the old secret: %q", answer)
	}
	h.AwaitLog("denied")
	h.OK("show", "web")
	secrets := []string{before, secretOf(t, h.State+"/secret"), secretOf(t, h.Dir+"/readonly")}
	for _, pid := range h.Leftovers() {
		for _, file := range []string{"cmdline", "environ"} {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			holds(t, fmt.Sprintf("%s of %d", file, pid), text, secrets)
		}
	}
	holds(t, "standard error", []byte(d.Stderr()), secrets)
	err := filepath.WalkDir(h.Dir, func(path string, entry os.DirEntry, err error) error {
		base := filepath.Base(path)
		if err != nil || !entry.Type().IsRegular() || base == "secret" || base == "readonly" {
			return err
		}
		text, err := os.ReadFile(path)
		holds(t, path, text, secrets)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func holds(t *testing.T, what string, text []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		if bytes.Contains(text, []byte(secret[:16])) {
			t.Errorf("%s holds a secret", what)
		}
	}
}

// rekey takes effect at once for who comes; who is in stays in.
func TestRekey(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, sleeper)
	h.Start()
	before := secretOf(t, h.State+"/secret")
	inside := let(t, h)
	if got := inside.last("rekey"); !strings.HasPrefix(got, "+OK") || strings.Contains(got, before[:16]) {
		t.Fatalf("rekey: %q", got)
	}
	after := secretOf(t, h.State+"/secret")
	if after == before || len(after) != 64 {
		t.Errorf("%q became %q", before, after)
	}
	if info, err := os.Lstat(h.State + "/secret"); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if answer, _ := connect(t, h).enter(before); answer != strings.TrimSpace(refusal) {
		t.Errorf("the old secret: %q", answer)
	}
	if got := inside.last("pid"); got != "+OK 1" {
		t.Errorf("who was in: %q", got)
	}
	h.OK("version")
}

// A secret outside of the state directory is not written through what others
// put in the way of its successor.
func TestRekeyOverAPlant(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(t *testing.T, path string){
		"a file": func(t *testing.T, path string) {
			os.WriteFile(path, nil, 0o666)
			give(t, path)
		},
		"a FIFO": func(t *testing.T, path string) { mkfifo(t, path) },
		"a link": func(t *testing.T, path string) { symlink(t, path+".target", path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := tmtest.NewHost(t, sleeper+"taskmaster: {listen: '127.0.0.1:0', secret: '%(here)s/secret'}\n")
			startWithSecret(h, h.Dir+"/secret")
			plant(t, h.Dir+"/secret.new")
			h.Run("tmctl", "-c", h.Config, "-d", h.State, "rekey")
			if r := h.Run("tmctl", "-c", h.Config, "-d", h.State, "version"); r.Code != 0 {
				t.Errorf("exit %d: %s", r.Code, r.Stderr)
			}
			info, err := os.Lstat(h.Dir + "/secret")
			if err != nil || info.Mode() != 0o600 || ownerOf(info) != 0 {
				t.Errorf("%v of %d, %v", info.Mode(), ownerOf(info), err)
			}
			if _, err := os.Stat(h.Dir + "/secret.new.target"); err == nil {
				t.Error("the link was followed")
			}
		})
	}
}

// Under auth: none there is no secret, so that tmctl, which believes no server
// that asks for none when it has one, needs no option.
func TestAuthChanges(t *testing.T) {
	t.Parallel()
	const none = sleeper + "taskmaster: {listen: '127.0.0.1:0', auth: none}\n"
	h := tmtest.NewHost(t, sleeper+"taskmaster: {listen: '127.0.0.1:0'}\n")
	h.Start()
	h.OK("version")
	h.Write(none)
	h.OK("reload")
	h.OK("version")
	if _, err := os.Stat(h.State + "/secret"); err == nil {
		t.Error("the secret stays")
	}
	h.Write(sleeper + "taskmaster: {listen: '127.0.0.1:0'}\n")
	h.OK("reload")
	h.OK("version")
	w := connect(t, h)
	w.nonce()
}

// Who has the read-only secret sees, and changes nothing.
func TestReadonly(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  web: {cmd: 'sh -c "echo out; exec sleep 1000"', starttime: 0, stdout: '%(here)s/out', env: {PASSWORD: hunter2, B: "x y"}}
taskmaster: {listen: '127.0.0.1:0', readonly_secret: '%(here)s/readonly'}
`)
	h.Start()
	h.Await("RUNNING", "web:0")
	pid := h.PID("web:0")
	see := func() *wire {
		w := connect(t, h)
		if answer, proof := w.enter(secretOf(t, h.Dir+"/readonly")); answer != "+OK "+proof {
			t.Fatalf("not let in: %q", answer)
		}
		return w
	}
	w := see()
	for _, request := range []string{"status all", "tail web:0", "log", "pid web:0", "show web", "version", "help", "usage"} {
		lines := w.ask(request)
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "+OK") || len(lines) < 2 {
			t.Errorf("%s: %q", request, lines)
		}
		if text := strings.Join(lines, "\n"); strings.Contains(text, "hunter2") || strings.Contains(text, "x%20y") {
			t.Errorf("%s shows the environment: %s", request, text)
		}
	}
	if shown := strings.Join(w.ask("show web"), "\n"); !strings.Contains(shown, "PASSWORD") || !strings.Contains(shown, "***") {
		t.Errorf("show: %s", shown)
	}
	if shown := strings.Join(let(t, h).ask("show web"), "\n"); !strings.Contains(shown, "hunter2") {
		t.Errorf("show with the full secret: %s", shown)
	}
	for _, request := range []string{
		"start web", "stop web", "stop -n all", "restart web", "signal KILL web", "reload", "reload -n", "shutdown", "shutdown -k",
		"upgrade", "rekey", "mail test", "wait web stopped",
	} {
		if got := w.last(request); !strings.HasPrefix(got, "-ERR denied") {
			t.Errorf("%s: %q", request, got)
		}
	}
	watching := see()
	watching.send("watch\nstop web\nend\n")
	if got := []string{watching.line(), watching.line(), watching.line()}; got[0] != "+OK" || !strings.HasPrefix(got[2], "-ERR denied") {
		t.Errorf("watch: %q", got)
	}
	if now := h.Status("web:0"); now.PID != pid {
		t.Errorf("something was changed: %s", now.Line())
	}
	h.Write(strings.Replace(h.Read("taskmaster.yaml"), "/readonly'", "/state/secret'", 1))
	if r := h.Ctl("reload"); r.Code == 0 || !strings.Contains(r.Stderr, "the same") {
		t.Errorf("one secret for both: exit %d, %q", r.Code, r.Stderr)
	}
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := unix.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	give(t, path)
}
