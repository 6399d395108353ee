package system_test

import (
	"os"
	"testing"

	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m)) }

// TestScripts: every command's words and exit codes, what a configuration may
// say, and what a reload does, one script for each subject.
func TestScripts(t *testing.T) {
	t.Parallel()
	tmtest.Scripts(t, "testdata/script")
}
