package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// tmlog runs a tmlog on an input that ends, and returns what it made of it.
func tmlog(t *testing.T, input string, options ...string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(binary, append(options, log)...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSelect(t *testing.T) {
	t.Parallel()
	const input = "apple\nbanana\n\ncherry\nbanana split\n"
	for _, c := range []struct {
		options []string
		want    string
	}{
		{[]string{"-x", "an"}, "apple\n\ncherry\n"},
		{[]string{"-x", "an", "-i", "split$"}, "apple\n\ncherry\nbanana split\n"},
		{[]string{"-i", "split", "-x", "an"}, "apple\n\ncherry\n"},
		{[]string{"-x", ".", "-i", "^a"}, "apple\n\n"},
		{[]string{"-x", "^", "-i", "^$", "-p", "> "}, "> \n"},
		{[]string{"-x", "", "-i", "apple", "-x", "pp"}, ""},
	} {
		if got := tmlog(t, input, c.options...); got != c.want {
			t.Errorf("%q: %q, want %q", c.options, got, c.want)
		}
	}
}

func TestStampsAndPrefix(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Microsecond)
	for format, want := range map[string]string{
		"rfc3339": `^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) `,
		"tai64n":  `^@([0-9a-f]{24}) `,
	} {
		got := tmlog(t, "one\n\ntwo", "-t", format, "-p", "web:0 ")
		times := regexp.MustCompile("(?m)"+want).FindAllStringSubmatch(got, -1)
		if len(times) != 3 {
			t.Fatalf("%s: %q", format, got)
		}
		if text := regexp.MustCompile("(?m)"+want).ReplaceAllString(got, ""); text != "web:0 one\nweb:0 \nweb:0 two" {
			t.Errorf("%s: %q without times", format, text)
		}
		if at := parseTime(t, times[0][1]); at.Before(before) || at.After(time.Now()) {
			t.Errorf("%s: %v is not the time of the test", format, at)
		}
	}
	if got := tmlog(t, "one\n", "-p", "web:0 "); got != "web:0 one\n" {
		t.Errorf("%q", got)
	}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err == nil {
		return at
	}
	seconds, err := strconv.ParseUint(text[:16], 16, 64)
	nanoseconds, err2 := strconv.ParseUint(text[16:], 16, 32)
	if err != nil || err2 != nil {
		t.Fatalf("not a time: %q", text)
	}
	// What tai64nlocal of daemontools takes off.
	return time.Unix(int64(seconds-4611686018427387914), int64(nanoseconds))
}

// Bytes of all kinds pass unchanged, from a pipe, a file, a socket or a
// terminal's like.
func TestBytesPass(t *testing.T) {
	t.Parallel()
	var input bytes.Buffer
	for i := range 70_000 {
		input.WriteByte(byte(i * i >> 3))
	}
	input.WriteString("\x00\xff\xfe\r\n\n\x00last")
	for _, options := range [][]string{nil, {"-i", "^"}, {"-s", "0"}} {
		if got := tmlog(t, input.String(), options...); got != input.String() {
			t.Errorf("%q: %d bytes of %d", options, len(got), input.Len())
		}
		if got := fromFile(t, input.Bytes(), options); got != input.String() {
			t.Errorf("%q from a file: %d bytes of %d", options, len(got), input.Len())
		}
		if got := fromSocket(t, input.Bytes(), options); got != input.String() {
			t.Errorf("%q from a socket: %d bytes of %d", options, len(got), input.Len())
		}
	}
}

func fromFile(t *testing.T, input []byte, options []string) string {
	t.Helper()
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "input"), input, 0o644)
	in, err := os.Open(filepath.Join(dir, "input"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	return fromAny(t, dir, in, options)
}

func fromSocket(t *testing.T, input []byte, options []string) string {
	t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")
	defer in.Close()
	go func() {
		out.Write(input)
		out.Close()
	}()
	return fromAny(t, t.TempDir(), in, options)
}

func fromAny(t *testing.T, dir string, in *os.File, options []string) string {
	t.Helper()
	log := filepath.Join(dir, "log")
	cmd := exec.Command(binary, append(options, log)...)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, _ := os.ReadFile(log)
	return string(text)
}

// A line of 200 MB passes in bounded memory, and rotation does not split it.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	const size = 200 << 20
	for name, options := range map[string][]string{"plain": nil, "stamped": {"-t", "tai64n"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log := filepath.Join(dir, "log")
			cmd := exec.Command(binary, append(options, log)...)
			in, err := cmd.StdinPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.New()
			piece := bytes.Repeat([]byte("never a newline\x00"), 1<<16)
			for sent := 0; sent < size; sent += len(piece) {
				if _, err := io.MultiWriter(in, sum).Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			status, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/status")
			if err != nil {
				t.Fatal(err)
			}
			if peak := kilobytes(status, "VmHWM"); peak == 0 || peak >= 32<<10 {
				t.Errorf("it used %d kB", peak)
			}
			in.Close()
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(hashWithoutStamp(t, log, len(options) > 0), sum.Sum(nil)) {
				t.Error("the file is not what was sent")
			}
			if _, err := os.Stat(log + ".1"); err == nil {
				t.Error("the line was split")
			}
		})
	}
}

func hashWithoutStamp(t *testing.T, path string, stamped bool) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if stamped {
		f.Seek(int64(len("@0123456789abcdef01234567 ")), io.SeekStart)
	}
	sum := sha256.New()
	io.Copy(sum, f)
	return sum.Sum(nil)
}

// What arrives is in the file at once, also a part of a line; the rest follows
// it without a second stamp, whoever writes it after whatever death.
func TestFragments(t *testing.T) {
	t.Parallel()
	for name, death := range map[string]func(p *process){
		"SIGTERM": func(p *process) { p.end() },
		"SIGKILL": func(p *process) { p.kill() },
		"none":    nil,
	} {
		for way, options := range ways {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				p := r.start(options...)
				want := ""
				for _, piece := range []string{"lo", "gi", "n: ", "root\n", "x", "\n", "last"} {
					r.write(piece)
					want += piece
					waitFor(t, quote(want), func() bool { return r.content() == want })
					waitFor(t, "the pipe to be empty", func() bool { return r.left() == 0 })
					if death != nil {
						death(p)
						p = r.start(options...)
					}
				}
				if code := p.end(); code != 0 {
					t.Errorf("exit code %d: %s", code, p.stderr)
				}
				if got := r.content(); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			})
		}
	}
}

// A line that is selected by its whole text is waited for, however it comes.
// What cannot be waited for is judged by its beginning.
func TestSelectWaitsForTheLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start("-x", "secret")
	r.write("public\nse")
	r.current("public\n")
	r.write("cre")
	r.write("t\nopen\n")
	r.current("public\nopen\n")
	// A program that fills the pipe with less than a chunk must not wait for
	// ever: pieces of 4096 bytes after a single one leave pages half empty.
	long := ""
	unix.FcntlInt(r.pipe.Fd(), unix.F_SETPIPE_SZ, 8192)
	unix.SetNonblock(int(r.pipe.Fd()), true)
	for range 9 {
		long += "x" + strings.Repeat("y", 4096)
	}
	for piece := long; piece != ""; {
		n := min(len(piece), 1)
		if len(piece)%4097 != 0 {
			n = 4096
		}
		r.write(piece[:n])
		piece = piece[n:]
	}
	r.write(" secret\n")
	r.current("public\nopen\n" + long + " secret\n")
	// In a pipe that was enlarged pieces of little more than a page use two, and
	// a line has more of them than a pipe has usually.
	unix.FcntlInt(r.pipe.Fd(), unix.F_SETPIPE_SZ, bigPipe)
	pieces := strings.Repeat("v", 60_000)
	for rest := pieces; rest != ""; rest = rest[5000:] {
		r.write(rest[:5000])
	}
	r.write(" secret\nafter\n")
	r.current("public\nopen\n" + long + " secret\nafter\n")
	// A dropped line that is too long for one chunk is dropped to its end.
	r.write("secret " + strings.Repeat("z", 300_000))
	waitFor(t, "the long line to be taken", func() bool { return r.left() == 0 })
	p.kill()
	p = r.start("-x", "secret")
	r.write("its end\nnext\n")
	r.current("public\nopen\n" + long + " secret\nafter\nnext\n")
	// At the end what is there is all there is.
	r.write("open end")
	waitFor(t, "the pipe to be looked at", func() bool { return r.left() == 8 })
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r.current("public\nopen\n" + long + " secret\nafter\nnext\nopen end")
}

// Stamped lines after a torn one begin on a line of their own.
func TestTornLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	os.WriteFile(r.log, []byte("whole\nto"), 0o644)
	p := r.start("-p", "> ")
	r.write("torn\n")
	p.end()
	if got := r.read("log"); got != "whole\nto\n> torn\n" {
		t.Errorf("%q", got)
	}
}

// SIGTERM takes what the pipe holds, even a large one.
func TestTermDrains(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			unix.FcntlInt(r.pipe.Fd(), unix.F_SETPIPE_SZ, 1<<20)
			unix.SetNonblock(int(r.pipe.Fd()), true)
			text := strings.Repeat("0123456789abcde\n", 60_000)
			r.write(text)
			p := r.start(way...)
			if code := p.end(); code != 0 || r.content() != text {
				t.Errorf("exit code %d, %d bytes of %d", code, len(r.content()), len(text))
			}
		})
	}
}

// A program that never stops writing cannot keep tmlog from ending.
func TestTermEndsFlood(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p := r.start(append(way, "-n", "1", "-s", "1MB")...)
			w := startWriter(r, 9)
			waitFor(t, "the flood", func() bool { return w.count.Load() > 1<<20 })
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			w.stop.Store(true)
			p = r.start(append(way, "-n", "1", "-s", "1MB")...)
			<-w.done
			p.end()
		})
	}
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			options := append(way, "-a", "200ms", "-n", "50")
			p := r.start(options...)
			r.write("one\n")
			waitFor(t, "the file to grow old", func() bool { return len(r.files()) == 2 && r.read("log") == "" })
			// An unfinished line is not split by age either.
			r.write("two")
			waitFor(t, "the line", func() bool { return strings.HasSuffix(r.read("log"), "two") })
			written := time.Now()
			waitFor(t, "the file to be too old", func() bool { return time.Since(written) > 300*time.Millisecond })
			if n := len(r.files()); n != 2 {
				t.Errorf("%d files, want 2", n)
			}
			r.write(" and a half\n")
			waitFor(t, "the rotation", func() bool { return len(r.files()) == 3 && r.read("log") == "" })
			// The age counts over a restart.
			p.end()
			r.start("-a", "1h").end()
			p = r.start("-a", "1h")
			r.write("three\n")
			waitFor(t, "the line", func() bool { return strings.HasSuffix(r.read("log"), "three\n") })
			p.kill()
			waitFor(t, "the file to be too old", func() bool { return time.Since(written) > 600*time.Millisecond })
			p = r.start(options...)
			waitFor(t, "the rotation", func() bool { return len(r.files()) == 4 && r.read("log") == "" })
			p.end()
			if got := r.content(); got != "one\ntwo and a half\nthree\n" {
				t.Errorf("%q", got)
			}
		})
	}
}

// A file from the future, by a clock that was set back, is a new one.
func TestAgeWhenTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	l := newLogger(options{path: filepath.Join(openDir(t), "log"), maxAge: time.Hour}, nil, nil)
	l.out.size, l.out.born = 1, time.Now().Add(48*time.Hour)
	l.opened()
	if left := time.Until(l.expires); left > time.Hour {
		t.Errorf("it is to be rotated in %v", left)
	}
}

// An idle tmlog is small.
func TestMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cmd := r.command(binary, "-t", "rfc3339", "-x", "never")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p := r.startAs(cmd)
	r.write(strings.Repeat("a line of the usual length, more or less\n", 1000))
	waitFor(t, "the lines", func() bool { return strings.Count(r.read("log"), "\n") == 1000 })
	rollup, err := os.ReadFile("/proc/" + p.id() + "/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	if dirty := kilobytes(rollup, "Private_Dirty"); dirty == 0 || dirty > 1024 {
		t.Errorf("Private_Dirty is %d kB, more than 1 MB", dirty)
	}
}

// kilobytes reads one line of a file of proc(5), 0 when it is not there.
func kilobytes(text []byte, key string) int {
	match := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+) kB$`).FindSubmatch(text)
	if match == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(match[1]))
	return n
}

// A directory as standard input can never be read.
func TestInputIsADirectory(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := openSource(int(dir.Fd())); err != unix.EISDIR || codeOf(err) != die.Usage {
		t.Errorf("%v", err)
	}
}
