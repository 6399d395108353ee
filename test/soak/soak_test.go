// Package soak kills anything at any time and looks whether all is well.
//
//	make soak SECONDS=60 SEED=7
//
// Some dozen programs of mixed temper run under one tmd. Every 50 to 400 ms
// one random act follows: SIGKILL of tmd, of helpers, tmlogs, tmmail, of
// programs and their whole trees, SIGSTOP and SIGCONT, start, stop, restart, a
// reload of a changed file, an upgrade. All the time, and at the end, nothing
// runs twice, no line is lost, tmctl answers, and what should run does.
//
// The seed chooses the acts; what they meet is up to the machine.
package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"taskmaster/test/tmtest"
)

func TestMain(m *testing.M) { os.Exit(tmtest.Main(m, "./test/faults/temper")) }

// length and seed are SECONDS and SEED of the environment; without them it is
// 75 seconds in CI, 15 elsewhere, and a seed of its own.
func length(t *testing.T) time.Duration {
	seconds := 15
	if os.Getenv("CI") != "" {
		seconds = 75
	}
	if given := os.Getenv("SECONDS"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 {
			t.Fatalf("SECONDS=%s is no number of seconds", given)
		}
		seconds = n
	}
	return time.Duration(seconds) * time.Second
}

func seed(t *testing.T) uint64 {
	given := os.Getenv("SEED")
	if given == "" {
		return rand.Uint64N(1000000)
	}
	n, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		t.Fatalf("SEED=%s is no number", given)
	}
	return n
}

func TestSoak(t *testing.T) {
	s := newSoak(t, seed(t))
	s.run(length(t))
}

// newSoak starts everything and waits until it runs.
func newSoak(t *testing.T, seed uint64) *soak {
	t.Helper()
	fmt.Printf("soak: SEED=%d\n", seed)
	s := &soak{
		Host: tmtest.NewHost(t, ""), t: t, random: rand.New(rand.NewPCG(seed, seed)),
		setup: firstSetup(), wishes: map[string]bool{}, asleep: map[process]time.Time{}, counts: map[string]int{}, excused: map[string]bool{}, untold: map[string]bool{},
	}
	s.home = s.Dir + "/home"
	if err := os.Mkdir(s.home, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(s.home, 0o777)
	t.Cleanup(s.tell)
	s.configure()
	s.tmd = s.Start()
	s.settle()
	return s
}

// run does acts for a time, then lets everything come to rest and looks at it.
func (s *soak) run(length time.Duration) {
	prober := s.startProber()
	s.t.Cleanup(prober.stop) // before what it asks goes
	for end := time.Now().Add(length); time.Now().Before(end); {
		s.act()
		s.pause(50*time.Millisecond + time.Duration(s.random.Int64N(int64(350*time.Millisecond))))
		s.noOverlap()
	}
	s.wakeAll()
	s.settle()
	prober.stop()
	s.noLeaks()
	s.end()
	s.checkLines()
	s.checkEvents()
	s.summary(prober, length)
}

// pause is the time between two acts: what is done in it is the programs'.
func (s *soak) pause(d time.Duration) { <-time.After(d) }
