package main

import (
	"testing"
	"time"
)

// TestHungAnswer shows that a getent(1) whose network does not answer holds
// up tmd for a while only.
func TestHungAnswer(t *testing.T) {
	defer func(was time.Duration) { helpTime = was }(helpTime)
	helpTime = time.Millisecond
	if _, err := runToEnd("sleep", "1000"); err == nil {
		t.Error("a command that was ended has succeeded")
	}
}
