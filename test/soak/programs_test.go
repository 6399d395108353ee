package soak

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"taskmaster/test/tmtest"
)

// A kind is one program of the soak, of a temper of its own.
type kind struct {
	name      string
	options   string // of temper
	keys      string // of the program's map, beside cmd and what changes
	log       string // where its lines go, below the host's directory; "" for nowhere
	twice     bool   // a line may be there twice: it was being stamped at a SIGKILL
	most      int    // instances at most; 0 for always one
	removable bool
	after     string // the program it waits for
	final     string // state in the end when it should run; "" for any that a start leads to
}

const restless = "startretries: 100000, backoff: {first: 0.1, max: 0.5}"

// kinds: some talk into logs of all forms, some die by themselves, some are
// deaf, some have families, some are started by the exec stage.
var kinds = []kind{
	{name: "plain", options: "-every 3ms", keys: `starttime: 0.2, autorestart: always, stdout: {file: "HERE/plain.log"}`,
		log: "plain.log", most: 4, final: "RUNNING"},
	{name: "stamped", options: "-every 4ms", keys: `starttime: 0, autorestart: always, stdout: {file: "HERE/stamped.log", timestamp: rfc3339}`,
		log: "stamped.log", twice: true, most: 2, final: "RUNNING"},
	{name: "rotated", options: "-every 1ms", keys: `starttime: 0.1, autorestart: always, stdout: {file: "HERE/rotated.log", maxbytes: 16KB, backups: 10000}`,
		log: "rotated.log", final: "RUNNING"},
	{name: "direct", options: "-every 2ms", keys: `starttime: 0.1, autorestart: always, stdout: "HERE/direct.log"`,
		log: "direct.log", most: 2, final: "RUNNING"},
	{name: "crashing", options: "-every 5ms -life 1500ms -code 1", keys: `starttime: 0.2, stdout: {file: "HERE/crashing.log"}`, log: "crashing.log"},
	{name: "brief", options: "-life 150ms", keys: "starttime: 0.3, autorestart: always"},
	{name: "ending", options: "-life 700ms", keys: "starttime: 0.1, autorestart: always"},
	{name: "deaf", options: "-deaf", keys: "starttime: 0.1, autorestart: always, stoptime: 0.5", final: "RUNNING"},
	{name: "family", options: "-brood plain=2,session=1,orphan=2", keys: "starttime: 0.1, autorestart: always, stoptime: 1", most: 2, final: "RUNNING"},
	{name: "leaving", options: "-brood orphan=2 -life 600ms", keys: "starttime: 0.1, autorestart: always, stoptime: 1"},
	{name: "lowly", options: "-every 10ms", keys: `starttime: 0.1, autorestart: always, user: nobody, nice: 3, limits: {nofile: 100}, stdout: {file: "HERE/lowly.log"}`,
		log: "lowly.log", final: "RUNNING"},
	{name: "ready", options: "-ready 3", keys: "autorestart: always, ready: {notify: 3}", final: "RUNNING"},
	{name: "after", options: "", keys: "starttime: 0.1, autorestart: always, after: [plain]", after: "plain", final: "RUNNING", removable: true},
	{name: "passing", options: "", keys: "starttime: 0.1, autorestart: always", most: 3, removable: true, final: "RUNNING"},
}

// A setup is one configuration: what a reload may change.
type setup struct {
	present   map[string]bool
	instances map[string]int
	revision  map[string]int // a launch key
	stoptime  map[string]int // a policy key; 0 leaves it out
}

func firstSetup() setup {
	s := setup{map[string]bool{}, map[string]int{}, map[string]int{}, map[string]int{}}
	for _, k := range kinds {
		s.present[k.name], s.instances[k.name] = true, max(1, k.most-1)
	}
	return s
}

// mutate changes one thing, and says which.
func (s *setup) mutate(r *rand.Rand) string {
	k := kinds[r.IntN(len(kinds))]
	switch n := r.IntN(4); {
	case n == 0 && k.most > 0:
		s.instances[k.name] = 1 + r.IntN(k.most)
		return fmt.Sprintf("%s: numprocs %d", k.name, s.instances[k.name])
	case n == 1 && k.removable:
		s.present[k.name] = !s.present[k.name]
		return fmt.Sprintf("%s: present %v", k.name, s.present[k.name])
	case n == 2 && !strings.Contains(k.keys, "stoptime"):
		s.stoptime[k.name] = 1 + r.IntN(9)
		return fmt.Sprintf("%s: stoptime %d", k.name, s.stoptime[k.name])
	}
	s.revision[k.name]++
	return fmt.Sprintf("%s: revision %d", k.name, s.revision[k.name])
}

// yaml is the configuration file; here is the host's directory, home that of
// the accounts, mail the address of a server.
func (s *setup) yaml(here, home, mail string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "taskmaster:\n  listen: 127.0.0.1:0\n")
	fmt.Fprintf(&b, "  mail: {to: [a@example.org], from: b@example.org, server: %q, spool: %s/spool, group_wait: 1s}\n", mail, here)
	fmt.Fprintf(&b, "programs:\n")
	for _, k := range kinds {
		if !s.present[k.name] {
			continue
		}
		fmt.Fprintf(&b, "  %s: {cmd: %q, numprocs: %d, env: {REVISION: \"%d\"}, %s, %s", k.name,
			strings.TrimSpace(tmtest.Bin("temper")+" -home "+home+" "+k.options),
			s.instances[k.name], s.revision[k.name], restless, strings.ReplaceAll(k.keys, "HERE", here))
		if n := s.stoptime[k.name]; n > 0 {
			fmt.Fprintf(&b, ", stoptime: %d", n)
		}
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "  missing: {cmd: %s/none, startretries: 2, backoff: {first: 0.1, max: 0.2}}\n", here)
	return b.String()
}

// names are the instances of a setup, without `missing`.
func (s *setup) names() []string {
	var names []string
	for _, k := range kinds {
		for n := 0; s.present[k.name] && n < s.instances[k.name]; n++ {
			names = append(names, fmt.Sprintf("%s:%d", k.name, n))
		}
	}
	return names
}

// everyName are the instances that any setup may have, without `missing`.
func everyName() []string {
	var names []string
	for _, k := range kinds {
		for n := range max(1, k.most) {
			names = append(names, fmt.Sprintf("%s:%d", k.name, n))
		}
	}
	return names
}

func kindOf(instance string) kind {
	program, _, _ := strings.Cut(instance, ":")
	for _, k := range kinds {
		if k.name == program {
			return k
		}
	}
	return kind{name: program}
}
