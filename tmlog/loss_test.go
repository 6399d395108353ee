package main

import (
	"math/rand"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// kills is how often each test of loss ends tmlog with SIGKILL; TMLOG_KILLS
// asks for more.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("TMLOG_KILLS")); err == nil {
		return n
	}
	return 100
}

// A writer sends numbered lines through a FIFO in pieces of any size, as fast
// as they are taken.
type writer struct {
	sent  strings.Builder
	count atomic.Int64
	stop  atomic.Bool
	done  chan struct{}
}

func startWriter(r *rig, seed int64) *writer {
	w := &writer{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		random := rand.New(rand.NewSource(seed))
		for next := 0; !w.stop.Load(); {
			lines := 1 + random.Intn(200)
			text := numbered(random, next, lines, 150)
			next += lines
			for len(text) > 0 {
				n := min(len(text), 1+random.Intn(9000))
				r.pipe.WriteString(text[:n])
				w.sent.WriteString(text[:n])
				w.count.Add(int64(n))
				text = text[n:]
			}
		}
	}()
	return w
}

// storm kills tmlog again and again, after random amounts of text, and then
// lets one take the rest. It returns what was sent.
func storm(r *rig, seed int64, start func() *process) string {
	r.t.Helper()
	random := rand.New(rand.NewSource(seed))
	w := startWriter(r, seed)
	for range kills() {
		p := start()
		target := w.count.Load() + int64(random.Intn(100_000))
		waitFor(r.t, "the writer", func() bool { return w.count.Load() >= target })
		p.kill()
	}
	p := start()
	w.stop.Store(true)
	<-w.done
	if code := p.end(); code != 0 {
		r.t.Fatalf("the last tmlog exits %d: %s", code, p.stderr)
	}
	return w.sent.String()
}

// nobody makes a command run without root's rights.
func nobody(cmd *exec.Cmd) *exec.Cmd {
	if os.Getenv("TMLOG_NAMESPACE") == "" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

// SIGKILL at any moment: what was sent is in the files, all of it and once.
func TestKillPlain(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"rotated":  {"-s", "200KB", "-n", "100000"},
		"one file": {"-s", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			sent := storm(r, 1, func() *process { return r.start(options...) })
			if all := r.all(); all != sent {
				t.Errorf("%d bytes sent, %d in the files, the first difference at %d",
					len(sent), len(all), difference(all, sent))
			}
		})
	}
}

func TestKillPlainAsNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sent := storm(r, 2, func() *process {
		return r.startAs(nobody(r.command(binary, "-s", "100KB", "-n", "100000")))
	})
	if all := r.all(); all != sent {
		t.Errorf("%d bytes sent, %d in the files, the first difference at %d",
			len(sent), len(all), difference(all, sent))
	}
}

// The same with lines that are changed on the way: each is there, and what
// appears twice is at most a chunk for each SIGKILL.
func TestKillStamped(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]func(*exec.Cmd) *exec.Cmd{
		"as root":   func(cmd *exec.Cmd) *exec.Cmd { return cmd },
		"as nobody": nobody,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			sent := storm(r, 3, func() *process {
				return r.startAs(as(r.command(binary, "-t", "rfc3339", "-s", "200KB", "-n", "100000")))
			})
			checkStamped(t, r.all(), sent)
		})
	}
}

func TestKillStampedOnTmpfs(t *testing.T) {
	t.Parallel()
	r := newRigIn(t, mount(t, "200m"))
	sent := storm(r, 4, func() *process { return r.start("-t", "tai64n", "-s", "300KB", "-n", "100000") })
	checkStamped(t, r.all(), sent)
}

// checkStamped looks for every line sent, in order, among the stamped lines.
func checkStamped(t *testing.T, all, sent string) {
	t.Helper()
	twice, torn := 0, 0
	next := 0 // want[:next] were found
	want := strings.SplitAfter(sent, "\n")
	for text := range strings.SplitAfterSeq(all, "\n") {
		stamp, line, _ := strings.Cut(text, " ")
		switch {
		case text == "":
		case len(stamp) == stampWidth(stamp) && line == want[next]:
			next++
		case len(line) > 8 && slices.Contains(want[max(0, next-chunk/9):next], line):
			twice += len(line)
		default:
			torn++
		}
	}
	if want[next] != "" {
		t.Errorf("%d lines sent, the first lost is %q", len(want)-1, want[next])
	}
	if twice > kills()*chunk || torn > kills() {
		t.Errorf("%d bytes appear twice and %d lines are torn, after %d kills", twice, torn, kills())
	}
	t.Logf("%d lines; %d bytes appear twice, %d lines torn", next, twice, torn)
}

// stampWidth is the length of a whole stamp of that kind.
func stampWidth(stamp string) int {
	if strings.HasPrefix(stamp, "@") {
		return len("@0123456789abcdef01234567")
	}
	return len(rfc3339Micro) - 1
}

func difference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// maskHas says whether a signal is in a mask of /proc/PID/status.
func maskHas(mask string, s syscall.Signal) bool {
	bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	return err == nil && bits>>(s-1)&1 == 1
}

func (p *process) id() string { return strconv.Itoa(p.cmd.Process.Pid) }
