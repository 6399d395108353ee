package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"taskmaster/test/terminal"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// home makes a state directory for d and the environment that finds it.
func home(t *testing.T, d *daemon) []string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"address": d.address, "secret": d.secret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"HOME=" + dir, "TMCTL_SERVER=" + d.address, "TMCTL_SECRET_FILE=" + dir + "/secret",
		"TERM=xterm", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH"), "GORACE=" + quickExit,
		"XDG_STATE_HOME=" + dir + "/xdg"}
}

// open starts tmctl in a terminal.
func open(t *testing.T, env []string, args ...string) *terminal.Terminal {
	t.Helper()
	path, err := exec.LookPath("tmctl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Dir = env, t.TempDir()
	return terminal.Open(t, cmd)
}

// prompt is what the shell shows when it is ready.
func prompt(d *daemon) string { return "tmctl " + d.address + "> " }
