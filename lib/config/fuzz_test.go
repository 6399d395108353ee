package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad shows that no file makes Load panic, that a file is either read or
// refused with a place inside it, and that what it reads is fit for use.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatalf("no seeds in %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	o := testOptions()
	path := filepath.Join(f.TempDir(), "taskmaster.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "include") {
			return // a pattern could name any file of this machine
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, mistakes := Load(path, o)
		if (file == nil) != (len(mistakes) > 0) {
			t.Fatalf("file %v and mistakes %v", file, mistakes)
		}
		lines := 2 // a file that ends too early may be wrong after its last line
		for _, r := range string(text) {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) { // YAML 1.1 breaks lines at all of them
				lines++
			}
		}
		for _, m := range mistakes {
			if m.Line > lines || m.Line > 0 && m.Col < 1 || m.Text == "" || strings.ContainsAny(m.Error(), "\n\x00\x1b") {
				t.Fatalf("mistake %+v in %d lines", m, lines)
			}
		}
		if file != nil {
			checkFile(t, file)
		}
	})
}

// checkFile holds what whoever uses a File relies on.
func checkFile(t *testing.T, file *File) {
	for _, p := range file.Programs {
		if !programName.MatchString(p.Name) || len(p.Instances) != p.Numprocs {
			t.Fatalf("program %q has %d of %d instances", p.Name, len(p.Instances), p.Numprocs)
		}
		for _, in := range p.Instances {
			if len(in.Cmd) == 0 || in.Cmd[0] == "" || in.StopSignal < 1 || in.BackoffFirst <= 0 || in.BackoffMax < in.BackoffFirst {
				t.Fatalf("instance %+v", in)
			}
			for _, entry := range append(in.Env, in.Cmd...) {
				if strings.Contains(entry, "\x00") {
					t.Fatalf("a NUL in %q", entry)
				}
			}
			for _, out := range []Output{in.Stdout, in.Stderr} {
				if (out.Kind == "file" || out.Kind == "log") && !filepath.IsAbs(out.Path) {
					t.Fatalf("output %+v", out)
				}
			}
		}
	}
}
