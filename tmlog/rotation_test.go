package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// write sends text through a pipe to a logger of this process, cut into pieces
// at random, and returns when all of it is in the files.
func writeThrough(t *testing.T, opt options, text []byte, seed int64) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	mail, err := newMailbox()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(mail.fd)
	go func() {
		defer unix.Close(ends[1])
		random := rand.New(rand.NewSource(seed))
		for len(text) > 0 {
			n := min(len(text), 1+random.Intn(1<<random.Intn(17)))
			n, err := unix.Write(ends[1], text[:n])
			if err != nil && err != unix.EINTR {
				return
			}
			text = text[max(n, 0):]
		}
	}()
	l, _, err := open(opt, ends[0], mail)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l.lock.fd)
	if code := l.run(); code != 0 {
		t.Fatal("exit code ", code)
	}
	l.out.close()
}

// checkFiles says whether the files, one after the other, are what was
// written, and are cut at the right places.
func checkFiles(t *testing.T, dir string, opt options, text []byte) {
	t.Helper()
	r := &rig{t: t, dir: dir, log: opt.path}
	if all := r.all(); all != string(text) {
		t.Fatalf("%d bytes written, %d in the files, the first difference at %d",
			len(text), len(all), difference(all, string(text)))
	}
	names := r.files()
	for i, name := range names {
		content := r.read(name)
		if i < len(names)-1 && !strings.HasSuffix(content, "\n") {
			t.Errorf("%s does not end at the end of a line", name)
		}
		if i < len(names)-1 && content == "" {
			t.Errorf("%s is empty", name)
		}
		lines := strings.SplitAfter(strings.TrimSuffix(content, "\n"), "\n")
		last := len(lines[len(lines)-1]) + 1
		if len(lines) > 1 && int64(last) <= growth(opt.maxBytes) && int64(len(content)) > opt.maxBytes {
			t.Errorf("%s has %d bytes, more than %d, in %d lines", name, len(content), opt.maxBytes, len(lines))
		}
	}
}

// Whatever the limit, the lines and the pieces they come in: the files in
// order are the input, each but the last ends with a line, and none is longer
// than the limit but for a line that could not be known to be so long.
func FuzzRotation(f *testing.F) {
	f.Add([]byte("one\ntwo\nthree\n"), int64(5), int64(1), false)
	f.Add([]byte("no newline at the end"), int64(4), int64(2), true)
	f.Add([]byte("\n\n\n\n\n"), int64(1), int64(3), false)
	f.Add(bytes.Repeat([]byte("0123456789\x00\xff\n"), 9000), int64(20000), int64(4), false)
	f.Add([]byte(strings.Repeat("x", 150_000)+"\nshort\n"+strings.Repeat("y", 70_000)), int64(1000), int64(5), true)
	for seed := range int64(12) {
		random := rand.New(rand.NewSource(seed))
		text := numbered(random, 0, 20+random.Intn(4000), 1+random.Intn(300))
		f.Add([]byte(text), 1+random.Int63n(int64(len(text))), seed, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, text []byte, limit, seed int64, copied bool) {
		if limit <= 0 || len(text) > 1<<20 || int64(len(text)) > limit*500 {
			return // thousands of files take their time and find nothing more
		}
		dir := t.TempDir()
		opt := options{path: filepath.Join(dir, "log"), stamp: noStamp, maxBytes: limit, backups: 1 << 20, onFull: block}
		if copied {
			opt.selects.add("^", true) // keeps all, and takes the way of looked-at lines
		}
		writeThrough(t, opt, text, seed)
		checkFiles(t, dir, opt, text)
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start("-n", "3", "-s", "20")
	for i := range 6 {
		r.write(fmt.Sprintf("line %d is the longest\n", i))
	}
	p.end()
	want := []string{"log.3", "log.2", "log.1", "log"}
	if diff := cmp.Diff(want, r.files()); diff != "" {
		t.Error(diff)
	}
	if got := r.read("log.1"); got != "line 4 is the longest\n" {
		t.Errorf("the newest rotated file is %q", got)
	}
}

func TestListTakesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"log", "log.1", "log.2.gz", "log.10", "log.3", "log.3.gz", "log.0", "log.01", "log.+4", "log.4.bz2",
		"log.x", "log.-1", "other.1", "log.1.gz.gz", "alog.1", "log.99999999999", ".log.lock", ".log.gz",
	} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o644)
	}
	all, err := backups{filepath.Join(dir, "log")}.list()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range all {
		names = append(names, filepath.Base(b.path))
	}
	want := []string{"log.1", "log.2.gz", "log.3.gz", "log.3", "log.10"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// A gap in the numbers, as a crash leaves it, is filled by the next rotation.
func TestShiftFillsGap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := backups{filepath.Join(dir, "log")}
	for _, n := range []int{1, 2, 4} {
		os.WriteFile(b.name(n, false), []byte(fmt.Sprint(n)), 0o644)
	}
	if err := b.shift(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	all, _ := b.list()
	for _, file := range all {
		text, _ := os.ReadFile(file.path)
		got[filepath.Base(file.path)] = string(text)
	}
	if diff := cmp.Diff(map[string]string{"log.2": "1", "log.3": "2", "log.4": "4"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMaxTotal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start("-n", "100", "-s", "1000", "-S", "2500")
	text := strings.Repeat(strings.Repeat("x", 99)+"\n", 95)
	r.write(text)
	p.end()
	if diff := cmp.Diff([]string{"log.2", "log.1", "log"}, r.files()); diff != "" {
		t.Error(diff)
	}
}

func TestNoBackups(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start("-n", "0", "-s", "5")
	r.write("one\ntwo\nthree\n")
	p.end()
	if got := r.all(); got != "three\n" {
		t.Errorf("%q is left, want the last line", got)
	}
}

// A crash between any two steps of rotating and compressing: the next tmlog
// goes on, and nothing is lost, doubled or out of order.
func TestCrashInRotation(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string][]string{"plain": nil, "compressed": {"-z", "gzip"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for point := 0; crashAt(t, point, extra); point++ {
			}
		})
	}
}

// crashAt lets tmlog die at its nth crash point and another go on. It returns
// false when there is no such point.
func crashAt(t *testing.T, point int, extra []string) (crashed bool) {
	t.Helper()
	r := newRig(t)
	options := append([]string{"-s", "1000", "-n", "50"}, extra...)
	text := numbered(rand.New(rand.NewSource(int64(point))), 0, 70, 80)
	r.write(text)
	cmd := r.command(crashBinary, options...)
	cmd.Env = append(os.Environ(), fmt.Sprint("TMLOG_CRASH=", point))
	first := r.startAs(cmd)
	waitFor(t, "a crash or the end of the input", func() bool {
		select {
		case <-first.ended:
			return true
		default:
			return r.left() == 0 && (extra == nil || r.compressed())
		}
	})
	if first.isEnded() {
		crashed = first.code() == -1
	}
	first.kill()
	second := r.start(options...)
	waitFor(t, "the end of the input", func() bool { return r.left() == 0 && (extra == nil || r.compressed()) })
	if code := second.end(); code != 0 {
		t.Fatalf("after crash %d tmlog exits %d: %s", point, code, second.stderr)
	}
	if all := r.all(); all != text {
		t.Fatalf("crash %d: %d bytes written, %d in the files %v, the first difference at %d",
			point, len(text), len(all), r.files(), difference(all, text))
	}
	return crashed
}

func (p *process) isEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// compressed says that all rotated files are, and nothing is left over.
func (r *rig) compressed() bool {
	names := r.files()
	_, err := os.Stat(filepath.Join(r.dir, ".log.gz"))
	return os.IsNotExist(err) && len(names) > 1 &&
		!slices.ContainsFunc(names[:len(names)-1], func(name string) bool { return !strings.HasSuffix(name, ".gz") })
}

// A rotation that is not possible, here of a file that a container has mounted,
// leaves the lines where they are, and is said once.
func TestCannotRotate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	os.WriteFile(r.log, nil, 0o644)
	if err := unix.Mount(r.log, r.log, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(r.log, unix.MNT_DETACH) })
	p := r.start("-s", "100")
	text := strings.Repeat("0123456789\n", 100)
	r.write(text)
	if code := p.end(); code != 0 {
		t.Fatal("exit code ", code)
	}
	if r.read("log") != text {
		t.Errorf("the log has %d bytes, want %d", len(r.read("log")), len(text))
	}
	want := "tmlog: warning: unable to rotate " + r.log + ": device or resource busy\n"
	if got := p.stderr.String(); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestSecondTmlogIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start().listening()
	second := r.start()
	if code := second.code(); code != 111 {
		t.Errorf("exit code %d, want 111", code)
	}
	want := "tmlog: fatal: unable to lock " + r.log + ": another tmlog writes it\n"
	if got := second.stderr.String(); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// Where the directory was exchanged for another, whose log another tmlog writes
// by then, nothing is written beside that one: the lines wait until it ends.
func TestDirectoryExchanged(t *testing.T) {
	t.Parallel()
	base := openDir(t)
	r := newRigIn(t, filepath.Join(base, "now"))
	exchange := func(away string) {
		if err := errors.Join(os.Rename(r.dir, filepath.Join(base, away)), os.Mkdir(r.dir, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	const refused = "/log (block): another tmlog writes it\n"
	for name, lookAgain := range map[string]func(p *process, away string){
		"removed": func(_ *process, away string) {
			os.Remove(filepath.Join(base, away, "log"))
			r.write("three\n")
		},
		"reopened": func(p *process, _ string) {
			p.signal(syscall.SIGHUP)
			p.said(refused) // it takes no line into the file that was moved away
			r.write("three\n")
		},
	} {
		os.RemoveAll(r.dir)
		p := r.start()
		r.write("one\n")
		r.current("one\n")
		p.listening()
		exchange(name)
		other := newRigIn(t, r.dir)
		second := other.start()
		other.write("two\n")
		other.current("two\n")
		lookAgain(p, name)
		p.said(refused)
		if text := r.read("log"); text != "two\n" {
			t.Errorf("%s: the log of the second has %q", name, text)
		}
		if code := second.end(); code != 0 {
			t.Errorf("%s: exit code %d: %s", name, code, second.stderr)
		}
		r.current("two\nthree\n")
		if code := r.start().code(); code != 111 {
			t.Errorf("%s: a third tmlog exits %d, want 111", name, code)
		}
		if code := p.end(); code != 0 {
			t.Errorf("%s: exit code %d: %s", name, code, p.stderr)
		}
	}
}

// Signals arrive while lines do: none is lost or split by them.
func TestSignalsUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start("-n", "10000").listening()
	w := startWriter(r, 7)
	moved := filepath.Join(r.dir, "moved.")
	for i := range 40 {
		target := w.count.Load() + 50_000
		waitFor(t, "the writer", func() bool { return w.count.Load() >= target })
		rotated := len(r.files())
		if i%2 == 0 {
			p.signal(syscall.SIGALRM)
			waitFor(t, "a rotation", func() bool { return len(r.files()) > rotated })
			continue
		}
		os.Rename(r.log, moved+fmt.Sprint(i))
		p.signal(syscall.SIGHUP)
		waitFor(t, "the log to be opened again", func() bool { _, err := os.Stat(r.log); return err == nil })
		// What was moved away belongs between the files rotated so far and
		// those to come: give it the place that it would have had.
		os.Rename(moved+fmt.Sprint(i), moved+fmt.Sprintf("%03d", rotated))
	}
	w.stop.Store(true)
	<-w.done
	if code := p.end(); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr)
	}
	var all strings.Builder
	names := r.files()
	for i, name := range names {
		if text := r.read("moved." + fmt.Sprintf("%03d", i+1)); text != "" {
			all.WriteString(text)
		}
		all.WriteString(r.read(name))
	}
	if sent := w.sent.String(); all.String() != sent {
		t.Errorf("%d bytes sent, %d in the files, the first difference at %d",
			len(sent), all.Len(), difference(all.String(), sent))
	}
}
