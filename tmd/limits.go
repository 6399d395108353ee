package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"taskmaster/lib/config"
	"taskmaster/lib/die"

	"golang.org/x/sys/unix"
)

// What one instance needs of the system: tasks of helper and program, and
// descriptors of tmd (control FIFO and pidfd).
const (
	tasksEach = 6
	filesEach = 2
	filesBase = 64
	pipesEach = 1 // the control FIFO, of 16 pages
	pipePages = 16
)

// warnLimits compares what the file needs with what the system allows, and
// says which limit is too low before it is hit.
func warnLimits(file *config.File) {
	instances := 0
	for _, p := range file.Programs {
		instances += len(p.Instances)
	}
	tasks, files := instances*tasksEach, instances*filesEach+filesBase
	lack := func(name string, has, need int) {
		if has < need {
			die.Warn(fmt.Sprintf("%s is %d, %s need about %d", name, has, count(instances, "instance"), need), nil)
		}
	}
	lack("kernel.pid_max", readNumber("/proc/sys/kernel/pid_max"), tasks)
	lack("kernel.threads-max", readNumber("/proc/sys/kernel/threads-max"), tasks)
	lack("RLIMIT_NPROC", softLimit(unix.RLIMIT_NPROC), tasks)
	lack("RLIMIT_NOFILE", softLimit(unix.RLIMIT_NOFILE), files)
	for _, path := range pidsMax() {
		lack(path, readNumber(path), tasks)
	}
	if os.Geteuid() != 0 {
		pages := instances * pipesEach * pipePages
		lack("fs.pipe-user-pages-soft", unlimitedIfZero(readNumber("/proc/sys/fs/pipe-user-pages-soft")), pages)
	}
}

// pidsMax are the pids.max files of tmd's cgroup and those above it, of
// cgroup v2 and of the pids controller of v1 (cgroups(7)).
func pidsMax() []string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	var found []string
	for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		part := strings.SplitN(row, ":", 3)
		if len(part) != 3 {
			continue
		}
		root := ""
		switch part[1] {
		case "":
			root = "/sys/fs/cgroup"
		case "pids":
			root = "/sys/fs/cgroup/pids"
		default:
			continue
		}
		for dir := part[2]; dir != "/" && dir != "" && dir != "."; dir = dir[:max(0, strings.LastIndexByte(dir, '/'))] {
			if path := root + dir + "/pids.max"; unix.Access(path, unix.R_OK) == nil {
				found = append(found, path)
			}
		}
	}
	return found
}

// readNumber reads a number from a file; `max`, and what cannot be read, are
// no limit.
func readNumber(path string) int {
	text, err := os.ReadFile(path)
	if err != nil {
		return math.MaxInt
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return math.MaxInt
	}
	return n
}

func unlimitedIfZero(n int) int {
	if n == 0 {
		return math.MaxInt
	}
	return n
}

func softLimit(which int) int {
	var l unix.Rlimit
	if unix.Getrlimit(which, &l) != nil || l.Cur > math.MaxInt32 {
		return math.MaxInt
	}
	return int(l.Cur)
}
