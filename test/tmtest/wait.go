package tmtest

import (
	"time"
)

// Patience is how long a test waits for what has to come. It is long, since a
// busy machine proves nothing: a test that waits in vain has failed.
const Patience = 90 * time.Second

// T is what the package needs of a running test; *testing.T has it, and
// scripts have one of their own.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Until waits for a condition and fails the test when it does not come to be;
// the arguments after it say in words what was waited for.
func Until(t T, reached func() bool, what string, args ...any) {
	t.Helper()
	giveUp := time.NewTimer(Patience)
	defer giveUp.Stop()
	again := time.NewTicker(3 * time.Millisecond)
	defer again.Stop()
	for !reached() {
		select {
		case <-again.C:
		case <-giveUp.C:
			t.Fatalf("waited %v in vain: "+what, append([]any{Patience}, args...)...)
		}
	}
}
