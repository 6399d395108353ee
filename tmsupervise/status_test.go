package main

import (
	"os"
	"testing"

	"taskmaster/lib/event"
)

// A status that cannot be written is written as soon as it can be, though
// nothing more happens to the program.
func TestStatusIsWrittenLater(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/bin/sleep", "1000")
	r.spec.StartTime = 0
	r.begin()
	r.tell("start")
	r.expect(event.Running)
	inTheWay := r.run.Status() + ".new"
	os.Remove(inTheWay)
	if err := os.MkdirAll(inTheWay+"/full", 0o700); err != nil { // an empty one would be removed
		t.Fatal(err)
	}
	r.tell("stop")
	r.expect(event.Stopped)
	if s := r.status(); s.State != "RUNNING" {
		t.Fatalf("the status could be written: %s", s.Line())
	}
	if err := os.RemoveAll(inTheWay); err != nil {
		t.Fatal(err)
	}
	r.comesTo("STOPPED")
}
