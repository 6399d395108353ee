package system_test

import (
	"fmt"
	"strings"
	"testing"

	"taskmaster/test/tmtest"
)

// A thousand instances in one file: all run, a reload touches the difference,
// and nothing is left. No limit is hit by surprise.
func TestThousandInstances(t *testing.T) {
	t.Parallel()
	const most = 1000
	config := func(n int, stoptime string) string {
		return fmt.Sprintf(`
programs:
  web: {cmd: sleep 100000, numprocs: %d, starttime: 0, stoptime: %s}
  db: {cmd: sleep 100000, starttime: 0}
`, n, stoptime)
	}
	h := tmtest.NewHost(t, config(most-1, "10s"))
	d := h.Start()
	h.OK("wait", "-t", "85", "all", "running")
	pids := pidsOf(h)
	if len(pids) != most {
		t.Fatalf("%d instances, want %d", len(pids), most)
	}
	seen := map[int]bool{}
	for name, pid := range pids {
		if seen[pid] {
			t.Errorf("%s has the pid %d of another", name, pid)
		}
		seen[pid] = true
	}

	h.Write(config(most-51, "20s"))
	removed := 0
	for step := range strings.Lines(h.OK("reload")) {
		if strings.HasPrefix(step, "- web:") {
			removed++
		}
	}
	if removed != 50 {
		t.Errorf("the reload removed %d instances, want 50", removed)
	}
	now := pidsOf(h)
	if len(now) != most-50 {
		t.Errorf("%d instances after the reload, want %d", len(now), most-50)
	}
	for name, pid := range now {
		if pids[name] != pid {
			t.Errorf("%s had pid %d, has %d", name, pids[name], pid)
		}
	}
	d.Stop()
	if said := d.Stderr(); said != "" {
		t.Errorf("tmd said\n%s", lastLines(said))
	}
}

func lastLines(text string) string { return text[max(0, len(text)-2000):] }
