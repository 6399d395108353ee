package main

import (
	"errors"
	"os"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/procfs"
	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

var errRemoved = errors.New("the state directory was removed")

// refuseSurvivors ends a tmd whose state directory is new while helpers of one
// that was removed still live: it cannot reach them, and would start each of
// their programs a second time.
func (d *daemon) refuseSurvivors() {
	if pids := survivors(d.dir); len(pids) > 0 {
		die.Fatal(die.Temporary, "unable to use state directory "+string(d.dir)+": it was removed under "+
			itoa(len(pids))+" tmsupervise that still run, one is pid "+itoa(pids[0]), nil)
	}
}

// survivors are our user's helpers that were started with a path which leads to
// dir. It is followed as they would follow it: that of a helper in a container
// may look the same and lead elsewhere.
func survivors(dir statedir.Dir) []int {
	var found []int
	ours, ok := place(unix.AT_FDCWD, string(dir), 0)
	pids, _ := procfs.Pids()
	for _, pid := range pids {
		if !ok || procfs.UID(pid) != os.Geteuid() {
			continue
		}
		text, _ := procfs.ReadFile("/proc/"+itoa(pid)+"/cmdline", unix.PathMax)
		words := strings.Split(string(text), "\x00")
		if len(words) < 3 || words[0] != "tmsupervise" || words[1] != "-d" {
			continue
		}
		root, err := unix.Open("/proc/"+itoa(pid)+"/root", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		theirs, ok := place(root, string(statedir.Run(words[2]).State()), unix.RESOLVE_IN_ROOT)
		unix.Close(root)
		if ok && theirs == ours {
			found = append(found, pid)
		}
	}
	return found
}

// place is where a path leads from a directory: a device and an inode.
func place(from int, path string, resolve uint64) (at [2]uint64, ok bool) {
	fd, err := unix.Openat2(from, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		return at, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return [2]uint64{uint64(st.Dev), st.Ino}, err == nil
}
