package main

import (
	"bytes"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A rig is a log file, and a FIFO that the test holds open as a program does.
type rig struct {
	t    *testing.T
	dir  string
	log  string
	fifo string
	pipe *os.File // open for reading and writing
}

func newRig(t *testing.T) *rig { return newRigIn(t, openDir(t)) }

func newRigIn(t *testing.T, dir string) *rig {
	r := &rig{t: t, dir: dir, log: filepath.Join(dir, "log"), fifo: filepath.Join(openDir(t), "fifo")}
	if err := unix.Mkfifo(r.fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	os.Chmod(r.fifo, 0o666)
	r.pipe = r.openFIFO()
	t.Cleanup(func() { r.pipe.Close() })
	return r
}

// openDir makes a temporary directory that everybody may enter and use.
func openDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "tmlog-")
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// mount puts a small tmpfs over a directory, so that a disk can be full.
func mount(t *testing.T, size string) string {
	dir := openDir(t)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0777,size="+size); err != nil {
		t.Fatal("mounting a tmpfs: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fill makes a file take all but left bytes of the file system.
func fill(t *testing.T, dir string, left int) (filler string) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	filler = filepath.Join(dir, "filler")
	free := int(fs.Bavail) * int(fs.Bsize)
	if err := os.WriteFile(filler, make([]byte, free-left), 0o666); err != nil {
		t.Fatal(err)
	}
	return filler
}

func (r *rig) openFIFO() *os.File {
	f, err := os.OpenFile(r.fifo, os.O_RDWR, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

func (r *rig) write(text string) {
	r.t.Helper()
	if _, err := r.pipe.WriteString(text); err != nil {
		r.t.Fatal(err)
	}
}

// left is how many bytes nobody has taken from the FIFO.
func (r *rig) left() int {
	n, err := unix.IoctlGetInt(int(r.pipe.Fd()), unix.TIOCINQ)
	if err != nil {
		r.t.Fatal(err)
	}
	unix.SetNonblock(int(r.pipe.Fd()), true)
	return n
}

// A process is a tmlog at work.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *output
	ended  chan struct{}
}

// start runs tmlog on the rig's FIFO, with the log as its last argument.
func (r *rig) start(options ...string) *process { return r.startAs(r.command(binary, options...)) }

func (r *rig) command(program string, options ...string) *exec.Cmd {
	return exec.Command(program, append(options, r.log)...)
}

func (r *rig) startAs(cmd *exec.Cmd) *process {
	r.t.Helper()
	if cmd.Stdin == nil {
		in := r.openFIFO()
		defer in.Close()
		cmd.Stdin = in
	}
	p := &process{r.t, cmd, &output{}, make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = p.stderr
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	r.t.Cleanup(p.kill)
	return p
}

func (p *process) signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// listening waits until signals reach the main loop: os/signal catches them.
func (p *process) listening() *process {
	p.t.Helper()
	waitFor(p.t, "tmlog to catch signals", func() bool {
		status, err := os.ReadFile("/proc/" + p.id() + "/status")
		if err != nil {
			return false
		}
		_, caught, _ := strings.Cut(string(status), "SigCgt:\t")
		mask, _, _ := strings.Cut(caught, "\n")
		return maskHas(mask, syscall.SIGTERM) && strings.Contains(p.links(), ".log.lock")
	})
	return p
}

// links is where the open files of the process lead.
func (p *process) links() string {
	var all []string
	fds, _ := filepath.Glob("/proc/" + p.id() + "/fd/*")
	for _, fd := range fds {
		to, _ := os.Readlink(fd)
		all = append(all, to)
	}
	return strings.Join(all, "\n")
}

// end sends SIGTERM and returns the exit code.
func (p *process) end() int {
	p.t.Helper()
	p.listening()
	p.signal(syscall.SIGTERM)
	return p.code()
}

// code waits for the end and returns the exit code, -1 after a signal.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.t.Fatal("tmlog does not end; it said: ", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// An output collects what a process writes while the test reads it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// waitFor waits until a condition holds, for as long as a slow machine needs.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(limit) {
			t.Fatal("waited in vain for ", what)
		}
		time.Sleep(500 * time.Microsecond)
	}
}

// current waits until the log file, without its rotated ones, is text.
func (r *rig) current(text string) {
	r.t.Helper()
	waitFor(r.t, "the log to be "+quote(text), func() bool { return r.read("log") == text })
}

func quote(s string) string {
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return "\"" + s + "\""
}

func (r *rig) read(name string) string {
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		return ""
	}
	return string(text)
}

// files are the names of the log and its rotated files, oldest first.
func (r *rig) files() []string {
	r.t.Helper()
	all, err := backups{r.log}.list()
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for i := len(all) - 1; i >= 0; i-- {
		names = append(names, filepath.Base(all[i].path))
	}
	return append(names, "log")
}

// all is the content of all files in order, decompressed.
func (r *rig) all() string {
	r.t.Helper()
	var text strings.Builder
	for _, name := range r.files() {
		content := r.read(name)
		if strings.HasSuffix(name, compressedSuffix) {
			cmd := exec.Command("gzip", "-dc")
			cmd.Stdin = strings.NewReader(content)
			out, err := cmd.Output()
			if err != nil {
				r.t.Fatal(name, ": ", err)
			}
			content = string(out)
		}
		text.WriteString(content)
	}
	return text.String()
}

// numbered makes lines that begin with 8 digits, counted from first, of random
// length up to about width bytes.
func numbered(random *rand.Rand, first, count, width int) string {
	const letters = "thequickbrownfoxjumpsoverthelazydog"
	pool := strings.Repeat(letters, width/len(letters)+2)
	var text strings.Builder
	for i := first; i < first+count; i++ {
		text.WriteString(eightDigits(i))
		from := random.Intn(len(letters))
		text.WriteString(pool[from : from+random.Intn(width)])
		text.WriteByte('\n')
	}
	return text.String()
}

func eightDigits(n int) string {
	digits := []byte("00000000 ")
	for i := 7; n > 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return string(digits)
}
