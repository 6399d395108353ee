package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
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
	case "getent passwd ldapuser":
		return []byte("ldapuser:*:70001:70002:From LDAP:/home/ldapuser:/bin/sh\n"), nil
	case "id -G ldapuser":
		return []byte("70002 70003\n"), nil
	case "getent group ldapgroup":
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

// dump writes a File: the settings, then of each instance the fields that
// are not zero and the keys that the file gives.
func dump(f *File) string {
	var out strings.Builder
	for _, w := range f.Warnings {
		fmt.Fprintf(&out, "warning: %s\n", w)
	}
	out.WriteString("settings\n")
	dumpFields(&out, reflect.ValueOf(f.Settings))
	for _, p := range f.Programs {
		fmt.Fprintf(&out, "program %s, line %d, %d instances\n", p.Name, p.Line, p.Numprocs)
		for _, in := range p.Instances {
			fmt.Fprintf(&out, "instance %s\n", in.Name)
			dumpFields(&out, reflect.ValueOf(*in))
			for _, k := range in.Keys {
				if k.Line > 0 {
					fmt.Fprintf(&out, "    %d: %s %s%s\n", k.Line, k.Name, k.Value, map[bool]string{true: " (launch)"}[k.Launch])
				}
			}
		}
	}
	return out.String()
}

func dumpFields(out *strings.Builder, v reflect.Value) {
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		if field.IsZero() || name == "Keys" {
			continue
		}
		fmt.Fprintf(out, "  %s: %s\n", name, describe(field))
	}
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
