package main

import (
	"os"
	"path/filepath"
	"testing"

	"taskmaster/lib/config"
	"taskmaster/lib/supervisord"
)

// TestImported holds that tmd takes what it makes of a configuration of
// Supervisor.
func TestImported(t *testing.T) {
	files, err := filepath.Glob("../lib/supervisord/testdata/*.conf")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d configurations, error %v", len(files), err)
	}
	for _, file := range files {
		text, err := supervisord.Import(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		made := filepath.Join(t.TempDir(), "taskmaster.yaml")
		if err := os.WriteFile(made, text, 0o600); err != nil {
			t.Fatal(err)
		}
		o := config.DefaultOptions()
		o.Root = true // as whoever will run it
		if _, mistakes := config.Load(made, o); len(mistakes) > 0 {
			t.Errorf("%s: %v\n%s", file, mistakes, text)
		}
	}
}
