package main

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// circumstances say under what the figures came to be: a table without them
// cannot be compared with another.
func circumstances(args []string, began time.Time) string {
	var name unix.Utsname
	unix.Uname(&name)
	return fmt.Sprintf("Measured on %s in %v by `bench %s`, on Linux %s, %d cores, programs built by %s, beside %s.\n",
		began.UTC().Format(time.DateOnly), time.Since(began).Round(time.Second), strings.Join(args, " "),
		unix.ByteSliceToString(name.Release[:]), runtime.NumCPU(), runtime.Version(), peerVersions())
}

// peerVersions are those of Debian's packages.
func peerVersions() string {
	var known []string
	for _, name := range []string{"supervisor", "s6", "daemontools", "runit", "coreutils"} {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
		if err == nil && len(out) > 0 {
			known = append(known, name+" "+string(out))
		}
	}
	if known == nil {
		return "peers of versions unknown"
	}
	return strings.Join(known, ", ")
}
