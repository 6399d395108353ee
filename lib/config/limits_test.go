package config

import (
	"fmt"
	"strings"
	"testing"
)

// repeat returns one repeated up to the greatest size of a file.
func repeat(one string) string { return strings.Repeat(one, (maxSize-200)/len(one)) }

// bombs are files that would take long, or much memory, if they were obeyed.
// Those that are a flood of values have as many marks (countMarks).
func bombs(marks int) map[string]string {
	laughs := "a0: &a0 {k: v}\n"
	merges := "programs:\n  p0: &p0 {cmd: x, env: {A: b}}\n"
	for i := 1; i < 60; i++ {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9))
		merges += fmt.Sprintf("  p%d: &p%d {<<: [*p%d, *p%d]}\n", i, i, i-1, i-1)
	}
	var wide strings.Builder
	wide.WriteString("defaults: {env: {")
	for i := range 8_000 {
		fmt.Fprintf(&wide, "V%d: x, ", i)
	}
	wide.WriteString("}}\nprograms:\n")
	for i := range 8_000 {
		fmt.Fprintf(&wide, "  p%d: {cmd: x}\n", i)
	}
	var many strings.Builder
	many.WriteString("programs:\n")
	for i := range 10_000 {
		fmt.Fprintf(&many, "  p%d: {cmd: x, numprocs: 10000}\n", i)
	}
	return map[string]string{
		"too large":       strings.Repeat("#", maxSize+1),
		"aliases":         laughs,
		"merge keys":      merges,
		"defaults":        wide.String(),
		"numprocs":        many.String(),
		"long expansions": "programs: {a: {cmd: 'x " + strings.Repeat("%(process_num)d", 60_000) + "', numprocs: 10000}}",
		"long here":       "programs: {a: {cmd: x, env: {A: '" + repeat("%(here)s") + "'}, numprocs: 10000, description: '%(name)s'}}",
		"deep flow":       "programs: " + strings.Repeat("[", marks),
		"many brackets":   "programs: " + repeat("["),
		"deep block":      strings.Repeat("- ", marks),
		"deep questions":  strings.Repeat("? ", marks),
		"deep maps":       "programs: " + strings.Repeat("{a: ", 5000),
		"deep indents":    "programs:\n" + nested(1000),
		"longer list":     "programs: [" + repeat("a,") + "]",
		"flow map":        "programs: {" + strings.Repeat("?,", marks/2) + "}",
		"block list":      strings.Repeat("- a\n", marks),
		"commented keys":  strings.Repeat("#x\na: 1\n", marks),
		"unclosed quote":  "programs: \"" + repeat("x\n"),
		"unclosed list":   "programs: [" + strings.Repeat("x,\n", marks),
		"many mistakes":   "programs:\n" + strings.Repeat("  a b: {cmd}\n", 20_000),
		"late error":      strings.Repeat("# comment\n", 12_000) + "a: b\n c: d\n",
		"long word":       "programs: {a: {cmd: '" + strings.Repeat("x ", 500_000) + "', autorestart: " + strings.Repeat("y", 1000) + "}}",
		"many guesses":    "programs:\n" + repeated("  program%d: {cmd: x, after: programme%d}\n", 15_000),
		"many typos":      "programs:\n  a:\n" + repeated("    autorestarting%d: %d\n", 25_000),
		"many cycles":     "programs:\n  p0: {cmd: x, after: p1}\n" + cycles(10_000),
		"long chain":      "programs:\n" + chain(5000),
	}
}

func nested(depth int) string {
	var out strings.Builder
	for i := range depth {
		out.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return out.String()
}

// repeated returns n lines that differ in their two numbers.
func repeated(format string, n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, format, i, i)
	}
	return out.String()
}

// cycles is a chain of programs that all wait for the first as well.
func cycles(length int) string {
	var out strings.Builder
	for i := 1; i < length; i++ {
		fmt.Fprintf(&out, "  p%d: {cmd: x, after: [p0, p%d]}\n", i, i+1)
	}
	return out.String()
}

// chain is a cycle of programs, each waiting for the next.
func chain(length int) string {
	var out strings.Builder
	for i := range length {
		fmt.Fprintf(&out, "  p%d: {cmd: x, after: p%d}\n", i, (i+1)%length)
	}
	return out.String()
}

// TestBombs shows that no file can make Load take much: each is refused
// before what it costs is spent. `go test -bench Bombs -benchmem` tells the
// time and memory of each, and takes the floods as high as they may be.
func TestBombs(t *testing.T) {
	t.Parallel()
	for name, text := range bombs(maxMarks / 8) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, mistakes := Load(write(t, text), testOptions())
			if len(mistakes) == 0 {
				t.Fatalf("read as %d programs", len(file.Programs))
			}
			t.Log(cut(mistakes[0].Text))
		})
	}
}

func BenchmarkBombs(b *testing.B) {
	for name, text := range bombs(maxMarks - 2) {
		path := write(b, text)
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Load(path, testOptions())
			}
		})
	}
}

// TestLimits shows that the limits leave room for what is allowed: 10,000
// instances that differ in all that can differ.
func TestLimits(t *testing.T) {
	t.Parallel()
	file := load(t, `
programs:
  web:
    cmd: web --port %(process_num)05d
    numprocs: 10000
    stdout: {file: "/var/log/web.%(process_num)d.log", prefix: "%(name)s "}
    stderr: stdout
    workingdir: /srv/%(process_num)d
    description: instance %(name)s
    env: {A: "%(name)s", B: "%(process_num)d", C: "%(program_name)s", D: x, E: x, F: x, G: x, H: x}
    limits: {nofile: 1024, core: 0}
`)
	web := file.Programs[0]
	if n := len(web.Instances); n != 10000 {
		t.Fatalf("%d instances, want 10000", n)
	}
	last := web.Instances[9999]
	if last.Name != "web:9999" || last.Cmd[2] != "09999" || last.Stdout.Path != "/var/log/web.9999.log" || last.Stdout.Log.Prefix != "web:9999 " {
		t.Errorf("the last instance is %+v", last)
	}
	same := load(t, "programs: {a: {cmd: x, numprocs: 3}}").Programs[0].Instances
	if same[2].Name != "a:2" || same[2].Num != 2 || same[0].Name != "a:0" {
		t.Errorf("instances that do not differ are %v and %v", same[0], same[2])
	}
}

func cut(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

// BenchmarkLoad reads a thousand ordinary programs, as a reload of a large
// host does.
func BenchmarkLoad(b *testing.B) {
	path := write(b, "defaults: {umask: 022, env: {LANG: C}}\nprograms:\n"+repeated(
		"  web%d: {cmd: 'web --port %d', numprocs: 2, stdout: /var/log/web, stoptime: 5, env: {A: b, C: d}}\n", 1000))
	b.ReportAllocs()
	for b.Loop() {
		if _, mistakes := Load(path, testOptions()); len(mistakes) > 0 {
			b.Fatal(mistakes)
		}
	}
}
