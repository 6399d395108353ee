package tmtest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// Leftovers are the processes that belong to the host, keepers and programs:
// they have its directory in their environment or arguments, or are in it.
// (nginx and redis write over their environment.) Zombies do not count.
func (h *Host) Leftovers() []int {
	pids, err := procfs.Pids()
	if err != nil {
		h.T.Fatalf("unable to read /proc: %v", err)
	}
	var found []int
	for _, pid := range pids {
		if pid != os.Getpid() && h.owns(pid) {
			found = append(found, pid)
		}
	}
	return found
}

func (h *Host) owns(pid int) bool {
	if s, err := procfs.ReadStat(pid); err != nil || s.Dead() {
		return false
	}
	proc := "/proc/" + strconv.Itoa(pid)
	cwd, _ := os.Readlink(proc + "/cwd")
	if cwd == h.Dir || strings.HasPrefix(cwd, h.Dir+"/") {
		return true
	}
	args, _ := os.ReadFile(proc + "/cmdline")
	environ, _ := os.ReadFile(proc + "/environ")
	return bytes.Contains(args, []byte(h.Dir+"/")) || bytes.Contains(environ, []byte("TM_STATE="+h.State+"\x00"))
}

// NothingLeft waits until no process of the host is left.
func (h *Host) NothingLeft() {
	h.T.Helper()
	var left []int
	Until(h.T, func() bool { left = h.Leftovers(); return len(left) == 0 }, "nothing is left of %s", h.Dir)
}

// sweep ends everything of the host, keepers first so that they start nothing
// anew.
func (h *Host) sweep() {
	for _, d := range h.daemons {
		d.cmd.Process.Kill()
		<-d.over
	}
	for {
		left := h.Leftovers()
		if len(left) == 0 {
			return
		}
		for _, keepers := range []bool{true, false} {
			for _, pid := range left {
				if isKeeper(pid) == keepers {
					unix.Kill(pid, unix.SIGKILL)
				}
			}
		}
	}
}

func isKeeper(pid int) bool { return strings.HasPrefix(procfs.Executable(pid), bin+"/") }

// Describe names processes for a message: pid, state, arguments.
func Describe(pids []int) string {
	var text strings.Builder
	for _, pid := range pids {
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		s, _ := procfs.ReadStat(pid)
		fmt.Fprintf(&text, "%d %c %s\n", pid, s.State, bytes.ReplaceAll(args, []byte{0}, []byte{' '}))
	}
	return text.String()
}
