package main

import (
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"taskmaster/lib/event"

	"golang.org/x/sys/unix"
)

// full is a disk that has room for about left bytes of log.
func full(t *testing.T, left int) (r *rig, filler string) {
	dir := mount(t, "8m")
	filler = fill(t, dir, left)
	return newRigIn(t, dir), filler
}

// ways are the two ways that lines take into the file.
var ways = map[string][]string{"plain": nil, "stamped": {"-t", "tai64n"}}

// said waits for a message and returns how many lines there are in all.
func (p *process) said(text string) {
	p.t.Helper()
	waitFor(p.t, "the message "+text, func() bool { return strings.Contains(p.stderr.String(), text) })
}

func (p *process) count(text string) int { return strings.Count(p.stderr.String(), text) }

var stamps = regexp.MustCompile(`(?m)^@[0-9a-f]{24} `)

// content is the text of the files without times.
func (r *rig) content() string { return stamps.ReplaceAllString(r.all(), "") }

// With block nothing is lost: the lines wait in the pipe until there is room.
func TestFullBlock(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, filler := full(t, 50_000)
			p := r.start(append(way, "-s", "0")...)
			w := startWriter(r, 1)
			p.said("logfull")
			os.Remove(filler)
			target := w.count.Load() + 100_000
			waitFor(t, "the writer to go on", func() bool { return w.count.Load() > target })
			w.stop.Store(true)
			<-w.done
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if got, sent := r.content(), w.sent.String(); got != sent {
				t.Errorf("%d bytes sent, %d in the file, the first difference at %d",
					len(sent), len(got), difference(got, sent))
			}
			if n := p.count("\n"); n != 1 {
				t.Errorf("%d messages, want one: %s", n, p.stderr)
			}
		})
	}
}

// SIGTERM ends a blocked tmlog with 111, SIGKILL ends it anyhow; the next one
// goes on with what is left in the pipe.
func TestFullBlockEnded(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, filler := full(t, 30_000)
			text := numbered(rand.New(rand.NewSource(2)), 0, 600, 150)
			r.write(text[:len(text)-7]) // the last line comes later
			options := append(way, "-s", "0")
			p := r.start(options...)
			p.said("logfull")
			if code := p.end(); code != 111 {
				t.Errorf("exit code %d, want 111: %s", code, p.stderr)
			}
			p = r.start(options...)
			p.said("logfull")
			p.kill()
			os.Remove(filler)
			p = r.start(options...)
			waitFor(t, "an empty pipe", func() bool { return r.left() == 0 })
			r.write(text[len(text)-7:])
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d: %s", code, p.stderr)
			}
			if got := r.content(); got != text {
				t.Errorf("%d bytes sent, %d in the file, the first difference at %d",
					len(text), len(got), difference(got, text))
			}
		})
	}
}

var droppedLine = regexp.MustCompile(`^tmlog: (\d+) lines dropped$`)

// account counts the numbered lines in the files and those that are said to be
// missing between them, and checks that each gap is as large as said.
func account(t *testing.T, content string) (next int) {
	t.Helper()
	missing := 0
	for _, text := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
		if match := droppedLine.FindStringSubmatch(text); match != nil {
			n, _ := strconv.Atoi(match[1])
			missing += n
			continue
		}
		number, err := strconv.Atoi(strings.TrimLeft(text[:8], "0") + "")
		if err != nil && text[:8] != "00000000" {
			t.Fatalf("not a line that was sent: %q", text)
		}
		if number != next+missing {
			t.Fatalf("line %d comes after %d and %d dropped ones", number, next, missing)
		}
		next, missing = number+1, 0
	}
	return next + missing
}

// With drop the program is never held up, and each line that is not in the
// file is counted there.
func TestFullDrop(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, filler := full(t, 50_000)
			p := r.start(append(way, "-s", "0", "-f", "drop")...)
			w := startWriter(r, 3)
			p.said("logfull")
			target := w.count.Load() + 3_000_000
			waitFor(t, "the writer, who is not held up", func() bool { return w.count.Load() > target })
			w.stop.Store(true)
			<-w.done
			os.Remove(filler)
			p.said("lines dropped")
			sent := w.sent.String()
			r.write("00000000 after\n")
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			got, ok := strings.CutSuffix(r.content(), "00000000 after\n")
			if !ok {
				t.Error("a line after the recovery is not there")
			}
			if n := account(t, got); n != strings.Count(sent, "\n") {
				t.Errorf("%d lines sent, %d accounted for", strings.Count(sent, "\n"), n)
			}
			if n := p.count("logfull"); n != 1 {
				t.Errorf("logfull is said %d times, want once: %s", n, p.stderr)
			}
		})
	}
}

// SIGTERM ends a dropping tmlog with 0 and the count of what it dropped.
func TestFullDropEnded(t *testing.T) {
	t.Parallel()
	r, _ := full(t, 20_000)
	p := r.start("-s", "0", "-f", "drop")
	text := numbered(rand.New(rand.NewSource(4)), 0, 1000, 100)
	r.write(text)
	p.said("logfull")
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	kept := account(t, r.content())
	match := regexp.MustCompile(`: (\d+) lines dropped\n`).FindStringSubmatch(p.stderr.String())
	if match == nil {
		t.Fatalf("it does not say how many lines it dropped: %s", p.stderr)
	}
	if n, _ := strconv.Atoi(match[1]); kept+n != 1000 || r.left() != 0 {
		t.Errorf("%d lines kept, %d dropped, %d bytes left in the pipe; want 1000 lines", kept, n, r.left())
	}
}

// With prune the oldest files make room for the newest lines.
func TestFullPrune(t *testing.T) {
	t.Parallel()
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := full(t, 200_000)
			p := r.start(append(way, "-s", "30KB", "-n", "1000", "-f", "prune")...)
			w := startWriter(r, 5)
			waitFor(t, "the writer, who is not held up", func() bool { return w.count.Load() > 2_000_000 })
			w.stop.Store(true)
			<-w.done
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			got, sent := r.content(), w.sent.String()
			if !strings.HasSuffix(sent, got) || len(got) < 50_000 {
				t.Errorf("the last %d bytes are not the last of what was sent", len(got))
			}
			if n := p.count("\n"); n != 1 {
				t.Errorf("%d messages, want one: %s", n, p.stderr)
			}
		})
	}
}

// Under tmd the message is an event line in its FIFO, and a FIFO without a
// reader, or one that is full, holds up nothing.
func TestFullEvent(t *testing.T) {
	t.Parallel()
	r, filler := full(t, 20_000)
	events := filepath.Join(openDir(t), "events")
	if err := unix.Mkfifo(events, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := r.command(binary, "-s", "0", "-f", "drop")
	cmd.Env = append(os.Environ(), eventsVariable+"="+events)
	p := r.startAs(cmd).listening()
	fifo, err := os.OpenFile(events, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	r.write(strings.Repeat("0123456789\n", 5000))
	read := func() event.Event {
		buf := make([]byte, event.Max)
		n, err := fifo.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Parse(string(buf[:n]))
		if err != nil {
			t.Fatalf("%q: %v", buf[:n], err)
		}
		return e
	}
	e := read()
	if e.Name != event.Daemon || e.Kind != event.LogFull || e.Get("file") != r.log ||
		e.Get("policy") != "drop" || e.Get("reason") != "no space left on device" {
		t.Errorf("the event is %s", e.String())
	}
	waitFor(t, "the pipe to be empty", func() bool { return r.left() == 0 })
	os.Remove(filler)
	e = read()
	if n := e.Int("dropped"); e.Kind != event.LogFull || n != 5000-strings.Count(r.content(), "0123456789\n") {
		t.Errorf("the event is %s", e.String())
	}
	if code := p.end(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit code %d, standard error %q", code, p.stderr)
	}
}

// Under tmd a file that cannot be opened is told like one that cannot be
// written, and waited for: a tmlog that ends is seen on nobody's screen.
func TestUnopenableEvent(t *testing.T) {
	t.Parallel()
	base := openDir(t)
	r := newRigIn(t, filepath.Join(base, "a"))
	events := filepath.Join(base, "events")
	if err := errors.Join(unix.Mkfifo(events, 0o600), os.RemoveAll(r.dir), os.WriteFile(r.dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	fifo, err := os.OpenFile(events, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fifo.Close()
	cmd := r.command(binary)
	cmd.Env = append(os.Environ(), eventsVariable+"="+events)
	p := r.startAs(cmd)
	r.write("one\n")
	buf := make([]byte, event.Max)
	n, err := fifo.Read(buf)
	if want := " tmd logfull file=" + r.log + " policy=block reason=not%20a%20directory\n"; err != nil || !strings.HasSuffix(string(buf[:n]), want) {
		t.Errorf("the event is %q, %v", buf[:n], err)
	}
	os.Remove(r.dir)
	r.current("one\n")
	if code := r.start().code(); code != 111 {
		t.Errorf("a second tmlog exits %d, want 111", code)
	}
	if code := p.end(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit code %d, standard error %q", code, p.stderr)
	}
}

// Nobody has to read what tmlog says: not even a reader who is gone, or one
// who lets the pipe of standard error fill up, disturbs the log.
func TestNobodyListens(t *testing.T) {
	t.Parallel()
	for name, deafen := range map[string]func(in, out *os.File){
		"gone": func(in, out *os.File) { in.Close() },
		"full": func(in, out *os.File) {
			fd := int(out.Fd())
			unix.SetNonblock(fd, true)
			for n := 0; n >= 0; {
				n, _ = unix.Write(fd, make([]byte, 4096))
			}
			unix.SetNonblock(fd, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			defer out.Close()
			deafen(in, out)
			r := newRig(t)
			cmd := r.command(binary, "-s", "1000", "-z", "false")
			cmd.Stderr = out
			p := r.startAs(cmd)
			r.write("one\n")
			r.current("one\n")
			os.Remove(r.log)
			r.write("two\n")
			r.current("two\n")
			r.write(strings.Repeat("0123456789\n", 1000))
			if code := p.end(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// A removed directory is made again, with its mode, and so is a removed file.
func TestDirectoryRemoved(t *testing.T) {
	t.Parallel()
	base := openDir(t)
	r := newRigIn(t, filepath.Join(base, "a", "b"))
	os.MkdirAll(r.dir, 0o755)
	p := r.start()
	r.write("one\n")
	r.current("one\n")
	unix.Chmod(r.dir, 0o2750)
	r.start().code() // a second one does not disturb the first
	r.write("two\n")
	r.current("one\ntwo\n")
	os.RemoveAll(filepath.Join(base, "a"))
	r.write("four\n")
	r.current("four\n")
	info, err := os.Stat(r.dir)
	if err != nil || info.Mode() != os.ModeDir|os.ModeSetgid|0o750 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
	if code := r.start().code(); code != 111 {
		t.Errorf("in the new directory a second tmlog exits %d, want 111", code)
	}
	os.Chmod(r.log, 0o640)
	r.write("five\n")
	r.current("four\nfive\n")
	os.Remove(r.log)
	r.write("six\n")
	r.current("six\n")
	if info, _ := os.Stat(r.log); info.Mode() != 0o640 {
		t.Errorf("the file has mode %v, want 0640", info.Mode())
	}
	if code := p.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := p.count("was removed: making it again\n"); n != 2 {
		t.Errorf("it says: %s", p.stderr)
	}
}
