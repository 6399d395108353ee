package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A system is one supervisor that can be told to keep n copies of stamp.
type system interface {
	name() string
	missing() string // what is not installed, "" when all is there
	start(s *settings, dir, stamps string, n int) error
	root() int           // pid of its top process
	status() error       // asks for the state of all instances, as a user would
	stop() error         // orders all to stop
	extra(*run) []result // figures that only this system has
	abandon()            // kills what is left of itself
}

// A run is one system in one round.
type run struct {
	*settings
	sys    system
	stamps *stampFile
	dir    string
	got    map[string]float64
	units  map[string]string
}

func (r *run) note(figure, unit string, value float64) {
	r.got[figure], r.units[figure] = value, unit
}

// The figures in the order of the table.
var figures = []string{
	"boot of all to executing", "SIGKILL of a program to its next exec, median", "all killed at once, all back",
	"wakeups of the idle tree", "memory of the tree per instance", "status of all, as a process",
	"status of all over an open connection", "reload with one program changed, in effect",
	"memory of a helper", "memory of tmd itself", "descriptors of tmd per instance", "stop of all",
}

func benchSupervise(s *settings) []result {
	systems := []system{&taskmaster{}, &svscan{}, &s6{}, &runit{}, &supervisor{}}
	systems = slices.DeleteFunc(systems, func(sys system) bool {
		return s.only != "" && !slices.Contains(strings.Split(s.only, ","), sys.name())
	})
	return s.turns("N = "+fmt.Sprint(s.instances), systems, s.instances, s.rounds)
}

// turns lets the systems take turns.
func (s *settings) turns(title string, systems []system, n, rounds int) []result {
	collected := map[string]*result{}
	var order []string
	for round := range rounds {
		for _, sys := range systems {
			if what := sys.missing(); what != "" {
				if round == 0 {
					fmt.Fprintf(os.Stderr, "bench: %s is left out: %s is not installed\n", sys.name(), what)
				}
				continue
			}
			fmt.Fprintf(os.Stderr, "bench: %s, round %d of %d: %s\n", title, round+1, rounds, sys.name())
			r, err := s.measure(sys, n)
			if err != nil {
				fmt.Fprintf(os.Stderr, "bench: %s: %v\n", sys.name(), err)
			}
			for _, figure := range figures {
				value, ok := r.got[figure]
				if !ok {
					continue
				}
				key := sys.name() + "/" + figure
				if collected[key] == nil {
					collected[key] = &result{Table: title, Figure: figure, Unit: r.units[figure], System: sys.name()}
					order = append(order, key)
				}
				collected[key].Rounds = append(collected[key].Rounds, value)
			}
		}
	}
	var all []result
	for _, figure := range figures {
		for _, key := range order {
			if strings.HasSuffix(key, "/"+figure) {
				all = append(all, *collected[key])
			}
		}
	}
	return all
}

// measure takes one system through its life.
func (s *settings) measure(sys system, n int) (*run, error) {
	r := &run{settings: s, sys: sys, got: map[string]float64{}, units: map[string]string{}}
	var err error
	if r.dir, err = os.MkdirTemp(s.work, sys.name()); err != nil {
		return r, err
	}
	defer os.RemoveAll(r.dir)
	r.stamps = &stampFile{path: filepath.Join(r.dir, "stamps")}
	if err := os.WriteFile(r.stamps.path, nil, 0o666); err != nil {
		return r, err
	}
	began := now()
	if err := sys.start(s, r.dir, r.stamps.path, n); err != nil {
		return r, err
	}
	defer sys.abandon()
	if err := r.stamps.wait(n); err != nil {
		return r, err
	}
	r.note("boot of all to executing", "s", seconds(r.stamps.last()-began))
	for _, step := range []func(int) error{r.idle, r.memory, r.statusTime, r.one, r.all, r.special, r.stopAll} {
		if err := step(n); err != nil {
			return r, err
		}
	}
	return r, nil
}

// idle counts context switches of the supervisors, not of the programs.
func (r *run) idle(int) error {
	time.Sleep(5 * time.Second)
	before := switches(r.sys.root(), r.stamp)
	time.Sleep(r.settings.idle)
	r.note("wakeups of the idle tree", fmt.Sprintf("in %v", r.settings.idle), float64(switches(r.sys.root(), r.stamp)-before))
	return nil
}

func (r *run) memory(n int) error {
	r.note("memory of the tree per instance", "kB PSS", float64(memoryOf(r.sys.root(), r.stamp))/float64(n))
	return nil
}

func (r *run) statusTime(int) error {
	var times []float64
	for range 5 {
		began := now()
		if err := r.sys.status(); err != nil {
			return fmt.Errorf("status: %w", err)
		}
		times = append(times, seconds(now()-began)*1000)
	}
	r.note("status of all, as a process", "ms", median(times))
	return nil
}

// one kills programs one at a time. What has just been started is given time
// to count as running, since the peers hold back what dies too soon.
func (r *run) one(int) error {
	var times []float64
	pids := r.stamps.pids()
	for i := range r.samples {
		had := r.stamps.count()
		began := now()
		if err := syscall.Kill(pids[i*len(pids)/r.samples], syscall.SIGKILL); err != nil {
			return err
		}
		if err := r.stamps.wait(had + 1); err != nil {
			return err
		}
		times = append(times, seconds(r.stamps.last()-began)*1000)
	}
	r.note("SIGKILL of a program to its next exec, median", "ms", median(times))
	return nil
}

// settle is given before a figure to what the one before has stirred up.
const settle = 2 * time.Second

func (r *run) all(int) error {
	time.Sleep(settle)
	had := r.stamps.count()
	pids := r.stamps.pids()
	began := now()
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	if err := r.stamps.wait(had + len(pids)); err != nil {
		return err
	}
	r.note("all killed at once, all back", "s", seconds(r.stamps.last()-began))
	return nil
}

func (r *run) special(int) error {
	for _, x := range r.sys.extra(r) {
		r.note(x.Figure, x.Unit, x.Rounds[0])
	}
	return nil
}

func (r *run) stopAll(int) error {
	time.Sleep(settle)
	pids := r.stamps.pids()
	began := now()
	if err := r.sys.stop(); err != nil {
		return err
	}
	if err := waitDead(pids); err != nil {
		return err
	}
	r.note("stop of all", "s", seconds(now()-began))
	return nil
}

// compileStamp needs a C compiler: a Go program would be no tiny one.
func compileStamp(to string) error {
	source := to + ".c"
	if err := os.WriteFile(source, stampSource, 0o644); err != nil {
		return err
	}
	out, err := exec.Command("gcc", "-O2", "-static", "-o", to, source).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	return nil
}
