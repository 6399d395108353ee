// Bench measures taskmaster and its peers side by side, in one run, and
// prints the tables of test/bench/RESULTS.md.
//
//	bench [-n INSTANCES] [-rounds N] [-what supervise,growth,logs,checks] [-only SYSTEMS] [-json] [-bin DIR]
//
// The systems take turns within each round, so that a machine that grows
// slower does so for all; the figures are medians over the rounds. Peers that
// are not installed are left out and named.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// settings are what the command line says.
type settings struct {
	instances int
	rounds    int
	samples   int
	bin       string // where our programs are
	work      string // a directory of our own, removed at the end
	stamp     string // the program that is supervised
	idle      time.Duration
	only      string // systems to measure, "" for all
}

// A result is one figure of one system: all rounds of it.
type result struct {
	Table  string    `json:"table"`
	Figure string    `json:"figure"`
	Unit   string    `json:"unit"`
	System string    `json:"system"`
	Rounds []float64 `json:"rounds"`
	Median float64   `json:"median"`
}

func main() {
	var s settings
	what := flag.String("what", "supervise,logs", "tables to measure: supervise, growth, logs, checks")
	asJSON := flag.Bool("json", false, "print JSON")
	flag.IntVar(&s.instances, "n", 500, "instances")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds")
	flag.IntVar(&s.samples, "samples", 40, "restarts timed one by one in each round")
	flag.StringVar(&s.bin, "bin", "bin", "where the programs of taskmaster are")
	flag.StringVar(&s.only, "only", "", "systems to measure, separated by commas (default all)")
	flag.DurationVar(&s.idle, "idle", 15*time.Second, "how long wakeups are counted")
	flag.Parse()

	began := time.Now()
	if err := s.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(111)
	}
	defer os.RemoveAll(s.work)
	var all []result
	for _, table := range strings.Split(*what, ",") {
		run := map[string]func(*settings) []result{
			"supervise": benchSupervise, "growth": benchGrowth, "logs": benchLogs, "checks": benchChecks,
		}[table]
		if run == nil {
			fmt.Fprintln(os.Stderr, "bench: no such table:", table)
			os.Exit(100)
		}
		all = append(all, run(&s)...)
	}
	for i := range all {
		all[i].Median = median(all[i].Rounds)
	}
	if *asJSON {
		json.NewEncoder(os.Stdout).Encode(all)
		return
	}
	fmt.Print(circumstances(os.Args[1:], began))
	printTables(os.Stdout, all)
}

func (s *settings) prepare() error {
	var err error
	if s.bin, err = filepath.Abs(s.bin); err != nil {
		return err
	}
	// On a tmpfs, as /run is: ext4 looks long for inodes that were not deleted
	// a moment ago, which would measure the rounds before.
	if s.work, err = os.MkdirTemp("/dev/shm", "tmbench"); err != nil {
		s.work, err = os.MkdirTemp("", "tmbench")
	}
	if err != nil {
		return err
	}
	s.stamp = filepath.Join(s.work, "stamp")
	return compileStamp(s.stamp)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}
