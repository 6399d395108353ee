package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	logTable  = "Log writers"
	logBytes  = 300e6
	logFile   = 10 << 20 // each rotates at that size
	idleCount = 100      // copies that wait for a line
)

// A logWriter is a program that takes lines from its standard input.
type logWriter struct {
	system string
	figure string
	argv   func(dir string) []string
}

func logWriters(bin string) []logWriter {
	size := strconv.Itoa(logFile)
	const plain, stamped = "300 MB of 80-byte lines", "300 MB of 80-byte lines, with times"
	tmlog := filepath.Join(bin, "tmlog")
	return []logWriter{
		{"cat", plain, func(dir string) []string { return []string{"sh", "-c", "exec cat >" + dir + "/log"} }},
		{ours, plain, func(dir string) []string { return []string{tmlog, "-s", size, dir + "/log"} }},
		{"s6-log", plain, func(dir string) []string { return []string{"s6-log", "n5", "s" + size, dir} }},
		{"multilog", plain, func(dir string) []string { return []string{"multilog", "n5", "s" + size, dir} }},
		{"svlogd", plain, func(dir string) []string { return []string{"svlogd", dir} }},
		{"cat", stamped, func(dir string) []string { return []string{"sh", "-c", "exec cat >" + dir + "/log"} }},
		{ours, stamped, func(dir string) []string { return []string{tmlog, "-t", "rfc3339", "-s", size, dir + "/log"} }},
		{"s6-log", stamped, func(dir string) []string { return []string{"s6-log", "n5", "s" + size, "T", dir} }},
		{"multilog", stamped, func(dir string) []string { return []string{"multilog", "t", "n5", "s" + size, dir} }},
		{"svlogd", stamped, func(dir string) []string { return []string{"svlogd", "-tt", dir} }},
	}
}

// benchLogs compares the log writers: how long a flood of lines takes, and
// what ours costs while there are none. cat, which neither rotates nor stamps,
// is what a pipe and a file take at least.
func benchLogs(s *settings) []result {
	var all []result
	writers := logWriters(s.bin)
	rounds := make([][]float64, len(writers))
	for range s.rounds {
		for i, w := range writers {
			took, err := flood(s.work, w)
			if err != nil {
				fmt.Fprintf(os.Stderr, "bench: %s: %v\n", w.system, err)
				continue
			}
			rounds[i] = append(rounds[i], took)
		}
	}
	for i, w := range writers {
		if len(rounds[i]) > 0 {
			all = append(all, result{Table: logTable, Figure: w.figure, Unit: "s", System: w.system, Rounds: rounds[i]})
		}
	}
	idle, err := idleLogs(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: idle tmlogs:", err)
	}
	return append(all, idle...)
}

// flood sends all lines through a pipe and returns the seconds until the
// writer has ended.
func flood(work string, w logWriter) (float64, error) {
	dir, err := logDir(work)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	argv := w.argv(dir)
	cmd := exec.Command(argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	unix.Sync() // the files of the writer before are not this one's burden
	lines := bytes.Repeat([]byte(strings.Repeat("x", 79)+"\n"), 64<<10/80)
	began := now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for sent := 0; sent < logBytes; sent += len(lines) {
		if _, err := in.Write(lines); err != nil {
			break // Wait tells why
		}
	}
	in.Close()
	err = cmd.Wait()
	return seconds(now() - began), err
}

// logDir makes a directory, with the settings that svlogd looks for there.
func logDir(work string) (string, error) {
	dir := filepath.Join(work, "log")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config"), fmt.Appendf(nil, "s%d\nn5\n", logFile), 0o644)
}

// idleLogs starts many tmlogs as tmd does, lets each write a line, and looks
// at what they cost while no more come.
func idleLogs(s *settings) ([]result, error) {
	dir, err := logDir(s.work)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var copies []*exec.Cmd
	defer func() {
		for _, cmd := range copies {
			cmd.Process.Signal(unix.SIGTERM)
			cmd.Wait()
		}
	}()
	for i := range idleCount {
		cmd, err := startIdle(s.bin, filepath.Join(dir, strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		copies = append(copies, cmd)
	}
	time.Sleep(5 * time.Second) // the Go runtime settles
	before := copiesSwitches(copies)
	time.Sleep(s.idle)
	woken := copiesSwitches(copies) - before
	total, dirty := 0.0, 0.0
	for _, cmd := range copies {
		total += float64(pss(cmd.Process.Pid))
		dirty += float64(sum(fmt.Sprintf("/proc/%d/smaps_rollup", cmd.Process.Pid), "Private_Dirty:"))
	}
	figure := func(name, unit string, value float64) result {
		return result{Table: logTable, Figure: name, Unit: unit, System: ours, Rounds: []float64{value}}
	}
	return []result{
		figure(fmt.Sprintf("%d idle, PSS of each", idleCount), "kB", total/idleCount),
		figure(fmt.Sprintf("%d idle, Private_Dirty of each", idleCount), "kB", dirty/idleCount),
		figure(fmt.Sprintf("%d idle, wakeups of all in %v", idleCount, s.idle), "1", float64(woken)),
	}, nil
}

// startIdle starts a tmlog on a FIFO that never ends, and gives it a line.
func startIdle(bin, log string) (*exec.Cmd, error) {
	if err := unix.Mkfifo(log+".fifo", 0o600); err != nil {
		return nil, err
	}
	fifo, err := os.OpenFile(log+".fifo", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer fifo.Close()
	cmd := exec.Command(filepath.Join(bin, "tmlog"), "-t", "rfc3339", log)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdin = fifo
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_, err = fifo.WriteString("a line\n")
	return cmd, err
}

func copiesSwitches(copies []*exec.Cmd) (total int) {
	for _, cmd := range copies {
		total += switches(cmd.Process.Pid, "")
	}
	return total
}
