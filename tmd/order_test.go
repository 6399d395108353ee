package main

import (
	"fmt"
	"testing"

	"taskmaster/lib/config"
	"taskmaster/lib/statedir"
)

// entered is a program of n instances, as a file that was loaded has it.
func entered(d *daemon, name string, n int, values config.Values) []*instance {
	p := &config.Program{Name: name}
	for num := range n {
		p.Instances = append(p.Instances, &config.Instance{Name: fmt.Sprintf("%s:%d", name, num), Program: name, Num: num, Values: &values})
	}
	return d.addProgram(p)
}

// TestHeldAreLeftAlone shows that those who wait for a start are looked at
// again only when something changed for them: to do so at each event of
// thousands would cost the square of their number.
func TestHeldAreLeftAlone(t *testing.T) {
	for name, waits := range map[string]config.Values{
		"priority": {Priority: 2}, "after": {After: []config.After{{Program: "x", Until: "running"}}},
	} {
		d := newDaemon(options{}, &config.File{})
		x, y := entered(d, "x", 50, config.Values{Priority: 1}), entered(d, "y", 2, waits)
		d.startInOrder(append(x, y...), "boot")
		looks, seen := 0, ""
		for _, in := range x {
			if y[0].state() != "STOPPED" || y[0].heldBy == "" {
				t.Fatalf("%s: not held while %s is not up: %q", name, in.name, y[0].heldBy)
			}
			if y[0].heldBy != seen {
				looks++
			}
			seen = "not looked at"
			y[0].heldBy = seen
			in.status.State, in.status.Seq = "RUNNING", in.seq
			d.startNext(in)
		}
		if looks > 20 {
			t.Errorf("%s: looked at %d times", name, looks)
		}
		for _, in := range y {
			if in.heldBy != "" || in.unheeded == "" {
				t.Errorf("%s: %s was not started: %q", name, in.name, in.heldBy)
			}
		}
	}
}

// TestFatalIsStartedWithALateSpec: a reload had no room for the spec of a
// program that is FATAL. Once there is, the program is started, without
// waiting for news of it, since there will be none.
func TestFatalIsStartedWithALateSpec(t *testing.T) {
	d := newDaemon(options{}, &config.File{})
	var err error
	if d.dir, err = statedir.Create(t.TempDir() + "/state"); err != nil {
		t.Fatal(err)
	}
	in := entered(d, "x", 1, config.Values{Keys: []*config.Key{{Name: "cmd", Value: "good", Launch: true}}})[0]
	if err := in.run.Create(); err != nil {
		t.Fatal(err)
	}
	in.keys, in.status.State = []*config.Key{{Name: "cmd", Value: "bad", Launch: true}}, "FATAL"
	d.renewLater(in)
	in.respec.call()
	if in.unheeded == "" {
		t.Error("it was not started")
	}
}
