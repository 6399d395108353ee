// Package security_test holds what SECURITY.md promises against the running
// programs: who gets in at the port, what a state directory and a log file may
// be, what a program of another user can reach, what text can do, and what
// floods and bombs cost.
package security_test

import (
	"os"
	"testing"

	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }
