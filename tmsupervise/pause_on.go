//go:build pausepoints

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// pause stops the helper at the place that TM_PAUSE names, for a test to kill
// it there. Only test builds (-tags pausepoints) have it.
func pause(place string) {
	if os.Getenv("TM_PAUSE") == place {
		unix.Kill(unix.Getpid(), unix.SIGSTOP)
	}
}
