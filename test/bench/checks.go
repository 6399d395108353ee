package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"taskmaster/lib/procfs"
)

const (
	checkInterval = 10 * time.Second
	checkTime     = 3 * checkInterval
	httpBudget    = 3 // % of a core for 500
)

// A checkKind is one kind of health check, made by so many instances.
type checkKind struct {
	name      string
	instances int
	asked     string // what is checked, as the configuration has it
}

// benchChecks shows what health checks cost tmd alone, not what they ask.
func benchChecks(s *settings) []result {
	var answered atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered.Add(1) }))
	defer web.Close()
	kinds := []checkKind{
		{"http", s.instances, `http: "` + web.URL + `/health"`},
		{"tcp", s.instances, `tcp: "` + web.Listener.Addr().String() + `"`},
		{"cmd", s.instances / 5, `cmd: "true"`},
	}
	shares := make([][]float64, len(kinds))
	for round := range s.rounds {
		for i, kind := range kinds {
			fmt.Fprintf(os.Stderr, "bench: checks, round %d of %d: %s\n", round+1, s.rounds, kind.name)
			before := answered.Load()
			share, err := s.checksShare(kind)
			if err == nil && kind.name == "http" && answered.Load()-before < int64(3*kind.instances) {
				err = errors.New("not all were asked")
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "bench: %s: %v\n", kind.name, err)
				continue
			}
			shares[i] = append(shares[i], share)
		}
	}
	return checkResults(kinds, shares)
}

// checkResults puts the budget beside the figure that has one.
func checkResults(kinds []checkKind, shares [][]float64) []result {
	var all []result
	for i, kind := range kinds {
		r := result{
			Table: "Health checks", Unit: "% of a core", System: ours, Rounds: shares[i],
			Figure: fmt.Sprintf("tmd, %d %s every %v", kind.instances, kind.name, checkInterval),
		}
		all = append(all, r)
		if kind.name == "http" {
			r.System, r.Rounds = "budget", []float64{httpBudget * float64(kind.instances) / 500}
			all = append(all, r)
		}
	}
	return all
}

// checksShare returns the share of a core, in percent, that tmd has once all
// instances are up and each was checked once.
func (s *settings) checksShare(kind checkKind) (float64, error) {
	dir, err := os.MkdirTemp(s.work, "checks")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	stamps := &stampFile{path: filepath.Join(dir, "stamps")}
	text := fmt.Sprintf("taskmaster: {listen: '127.0.0.1:0', state: %s/state}\nprograms:\n", dir)
	text += fmt.Sprintf("  x: {cmd: [%s, %s], numprocs: %d, check: {%s, interval: %v}}\n",
		s.stamp, stamps.path, kind.instances, kind.asked, checkInterval)
	file := filepath.Join(dir, "taskmaster.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return 0, err
	}
	var tmd process
	if err := tmd.run(exec.Command(filepath.Join(s.bin, "tmd"), "-c", file)); err != nil {
		return 0, err
	}
	defer tmd.abandon()
	if err := stamps.wait(kind.instances); err != nil {
		return 0, err
	}
	time.Sleep(checkInterval + time.Second)
	before, began := processorTime(tmd.root()), now()
	time.Sleep(checkTime)
	share := 100 * (processorTime(tmd.root()) - before) / seconds(now()-began)
	if stamps.count() > kind.instances {
		return 0, errors.New("programs were restarted")
	}
	if err := tmd.end(syscall.SIGTERM); err != nil {
		return 0, err
	}
	return share, waitDead(stamps.pids())
}

// processorTime is what a process has used, in seconds.
func processorTime(pid int) float64 {
	s, _ := procfs.ReadStat(pid)
	return float64(s.User+s.System) / procfs.TicksPerSecond
}
