package main

import (
	"bufio"
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

//go:embed testdata/stamp.c
var stampSource []byte

// now is CLOCK_MONOTONIC in ns, which the stamps carry too.
func now() int64 {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// patience bounds every wait.
const patience = 120 * time.Second

var errPatience = errors.New("gave up waiting")

// A stampFile is what the programs have written.
type stampFile struct {
	path  string
	lines []string
}

func (f *stampFile) read() {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return
	}
	f.lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(text) == 0 {
		f.lines = nil
	}
}

func (f *stampFile) count() int {
	f.read()
	return len(f.lines)
}

// wait waits for n lines. It looks rarely enough not to be in the way; the
// times are those in the lines.
func (f *stampFile) wait(n int) error {
	for began := now(); f.count() < n; time.Sleep(3 * time.Millisecond) {
		if now()-began > int64(patience) {
			return errPatience
		}
	}
	return nil
}

func (f *stampFile) last() int64 {
	last := int64(0)
	for _, line := range f.lines {
		at, _, _ := strings.Cut(line, " ")
		ns, _ := strconv.ParseInt(at, 10, 64)
		last = max(last, ns)
	}
	return last
}

// pids are those of the programs that live.
func (f *stampFile) pids() []int {
	f.read()
	var pids []int
	for _, line := range f.lines {
		_, text, _ := strings.Cut(line, " ")
		pid, _ := strconv.Atoi(text)
		pids = append(pids, pid)
	}
	return living(pids)
}

func living(pids []int) []int {
	var found []int
	for _, pid := range pids {
		if s, err := procfs.ReadStat(pid); err == nil && !s.Dead() {
			found = append(found, pid)
		}
	}
	return found
}

func waitDead(pids []int) error {
	for began := now(); len(pids) > 0; time.Sleep(2 * time.Millisecond) {
		pids = living(pids)
		if now()-began > int64(patience) {
			return errPatience
		}
	}
	return nil
}

// tree is a supervisor with all below it, without the programs.
func tree(root int, program string) []int {
	var found []int
	for _, pid := range append(procfs.Descendants(root), root) {
		if procfs.Executable(pid) != program {
			found = append(found, pid)
		}
	}
	return found
}

func switches(root int, program string) (total int) {
	for _, pid := range tree(root, program) {
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/status")
		for _, path := range tasks {
			total += sum(path, "voluntary_ctxt_switches:") + sum(path, "nonvoluntary_ctxt_switches:")
		}
	}
	return total
}

// memoryOf is the proportional set size of the tree in kB.
func memoryOf(root int, program string) (total int) {
	for _, pid := range tree(root, program) {
		total += pss(pid)
	}
	return total
}

func pss(pid int) int { return sum("/proc/"+strconv.Itoa(pid)+"/smaps_rollup", "Pss:") }

// sum adds up the numbers behind a key in a file of `key: number` lines.
func sum(path, key string) (total int) {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), key); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			total += n
		}
	}
	return total
}
