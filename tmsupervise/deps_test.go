package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// denied are packages that a program which runs in thousands of copies does
// without, and why.
var denied = map[string]string{
	"fmt":                     "20 kB of tables in every copy, and reflection for each line",
	"net":                     "starts the resolver's machinery; the helper has no peer but pipes",
	"os/exec":                 "waits for its children itself, which takes them from the one reaper",
	"os/user":                 "opens files and may need cgo; ids come resolved in the spec",
	"log":                     "imports fmt; lib/die speaks",
	"encoding/json":           "imports fmt and builds tables by reflection",
	"regexp":                  "nothing here is matched by pattern",
	"text/template":           "imports fmt and builds tables by reflection",
	"gopkg.in/yaml.v3":        "the configuration is tmd's; a spec is flat text",
	"taskmaster/lib/config":   "the configuration is tmd's",
	"taskmaster/lib/proto":    "the protocol is tmd's",
	"crypto/rand":             "getrandom(2) is one call",
	"path/filepath":           "imports os and io/fs for what strings does",
	"html":                    "a table of 2,000 entities",
	"compress/gzip":           "the helper writes no log",
	"github.com/peterh/liner": "the shell is tmctl's",
}

func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 20 {
		t.Fatalf("go list names only %q", packages)
	}
	for _, p := range packages {
		if why, ok := denied[p]; ok {
			t.Errorf("tmsupervise imports %s: %s", p, why)
		}
	}
}

// TestClock holds that the helper decides by the monotonic clock. That on the
// wall, which somebody may set, stamps events; and Repeats subtracts two times
// of one process, which Go does by the monotonic clock that they carry.
func TestClock(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	stamps := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		positions := token.NewFileSet()
		file, err := parser.ParseFile(positions, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		harmless := map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if to, ok := n.Fun.(*ast.SelectorExpr); ok && (to.Sel.Name == "Begin" || to.Sel.Name == "Repeats") {
					for _, arg := range n.Args {
						harmless[arg] = true
					}
				}
				if harmless[n] {
					harmless[n.Fun] = true
				}
			case *ast.SelectorExpr:
				of, _ := n.X.(*ast.Ident)
				switch {
				case harmless[n]:
					stamps++
				case of != nil && of.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since" || n.Sel.Name == "Until"),
					strings.HasPrefix(n.Sel.Name, "CLOCK_") && n.Sel.Name != "CLOCK_MONOTONIC":
					t.Errorf("%s: %s is not the clock to decide by", positions.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
	if stamps < 3 {
		t.Errorf("only %d events are stamped", stamps)
	}
}
