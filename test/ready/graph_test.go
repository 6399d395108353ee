package ready_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"taskmaster/test/tmtest"
)

const layers, wide = 10, 10

// TestWideGraph starts a hundred programs, ten at a time: each is ready only
// when all ten of its layer have been started. So all that may start does, and
// nothing before its time; one after another they would wait for ever.
func TestWideGraph(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, "programs: {}\n")
	var config strings.Builder
	config.WriteString("programs:\n")
	var gates []gate
	for layer := range layers {
		gates = append(gates, newGate(t, h, fmt.Sprintf("gate%d", layer)))
		var before []string
		for n := range wide {
			if layer > 0 {
				before = append(before, fmt.Sprintf("p%d-%d", layer-1, n))
			}
		}
		for n := range wide {
			fmt.Fprintf(&config, "  p%d-%d: {cmd: \"sh -c 'read x <%%(here)s/gate%d; echo >&3; exec sleep 1000'\", ready: {notify: 3}, after: [%s]}\n",
				layer, n, layer, strings.Join(before, ", "))
		}
	}
	h.Write(config.String())
	d := h.Start()
	for layer := range layers {
		h.Await("STARTING", instancesOf(layer)...)
		if layer+1 < layers {
			for _, name := range instancesOf(layer + 1) {
				if s := h.Status(name); s.PID != 0 || s.State != "STOPPED" && s.State != "" {
					t.Errorf("%s is %s before those that it comes after are ready", name, s.State)
				}
			}
		}
		gates[layer].open(wide)
		h.Await("RUNNING", instancesOf(layer)...)
	}
	d.Stop()
	for layer := 1; layer < layers; layer++ {
		for n := range wide {
			before, after := fmt.Sprintf("p%d-%d:0", layer-1, n), fmt.Sprintf("p%d-%d:0", layer, n)
			inOrder(t, h.Log(), " "+before+" running ", " "+after+" starting ")
			inOrder(t, h.Log(), " "+after+" stopped ", " "+before+" stopping ")
		}
	}
}

func instancesOf(layer int) []string {
	var names []string
	for n := range wide {
		names = append(names, fmt.Sprintf("p%d-%d:0", layer, n))
	}
	return names
}

// inOrder holds that two lines stand in a log in this order.
func inOrder(t *testing.T, log, first, second string) {
	t.Helper()
	a, b := strings.Index(log, first), strings.Index(log, second)
	if a < 0 || b < 0 || a > b {
		t.Errorf("%q at %d, %q at %d in the event log", first, a, second, b)
	}
}

// TestDeepGraph starts the last of a chain of a hundred by hand: all of it
// comes up, one after another, and the client sees each.
func TestDeepGraph(t *testing.T) {
	t.Parallel()
	const deep = 100
	var config strings.Builder
	config.WriteString("defaults: {autostart: false, starttime: 0, cmd: sleep 1000}\nprograms:\n  c0: {}\n")
	for n := 1; n < deep; n++ {
		fmt.Fprintf(&config, "  c%d: {after: [c%d], priority: %d}\n", n, n-1, deep-n)
	}
	h := tmtest.NewHost(t, config.String())
	d := h.Start()
	out := h.OK("start", "c99")
	for n := 1; n < deep; n++ {
		inOrder(t, out, fmt.Sprintf("c%d:0: running", n-1), fmt.Sprintf("c%d:0: running", n))
	}
	h.OK("stop", "all")
	d.Stop() // from here on the log is whole
	for n := 1; n < deep; n++ {
		inOrder(t, h.Log(), fmt.Sprintf(" c%d:0 running ", n-1), fmt.Sprintf(" c%d:0 starting ", n))
		inOrder(t, h.Log(), fmt.Sprintf(" c%d:0 stopped ", n), fmt.Sprintf(" c%d:0 stopping ", n-1))
	}
}

// TestPriorityAmongLater: what a reload adds starts in the order of priority
// among itself, also while something of a higher priority is still starting.
func TestPriorityAmongLater(t *testing.T) {
	t.Parallel()
	const last = "\n  last: {cmd: sleep 1000, priority: 50, ready: {notify: 3}}\n"
	h := tmtest.NewHost(t, "programs:"+last)
	gate := newGate(t, h, "gate")
	d := h.Start()
	h.Await("STARTING", "last:0")
	h.Write("programs:" + last + "  first: " + strings.TrimSuffix(atGate, "}") + ", priority: 10}\n" +
		"  second: {cmd: sleep 1000, starttime: 0, priority: 20}\n")
	d.Signal(syscall.SIGHUP)
	h.Await("STARTING", "first:0")
	awaitDetail(h, "second:0", "waiting for first:0 (STARTING)")
	gate.open(1)
	h.Await("RUNNING", "first:0", "second:0")
	if s := h.Status("last:0").State; s != "STARTING" {
		t.Errorf("last:0 is %s", s)
	}
	d.Stop()
	inOrder(t, h.Log(), " first:0 running ", " second:0 starting ")
}
