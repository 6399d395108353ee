package main

import (
	"taskmaster/lib/procfs"

	"golang.org/x/sys/unix"
)

// adoptedTree adds to our descendants those of an adopted program that are
// not below us: its own descendants, its session and theirs, and what tmd
// inherited from it, told by its environment.
func (h *helper) adoptedTree(ours []int) []int {
	stats := procfs.Stats()
	k := kin{
		self: unix.Getpid(), stats: stats, since: h.startTicks,
		in: map[int]bool{}, sessions: map[int]bool{},
	}
	for _, pid := range ours {
		k.add(pid)
	}
	// The number of the program's session is another's if a process that
	// began at another time has it.
	if s, ok := stats[h.group]; h.group > 1 && (!ok || s.Start == h.startTicks) {
		k.sessions[h.group] = true
	}
	mine := h.ownEnv()
	for pid, s := range stats {
		if pid == h.pid || s.Start >= k.since && procfs.HasEnv(pid, mine...) {
			k.add(pid)
		}
	}
	k.close()
	return k.found
}

// ownEnv is the environment that tells the processes of this instance.
func (h *helper) ownEnv() []string {
	return []string{"TM_STATE=" + h.spec.State, "TM_NAME=" + h.name()}
}

// A kin collects a family of processes.
type kin struct {
	self     int // never a member
	stats    map[int]procfs.Stat
	since    uint64 // no member is older
	found    []int
	in       map[int]bool
	sessions map[int]bool
}

func (k *kin) add(pid int) {
	if pid == k.self || k.in[pid] {
		return
	}
	k.in[pid] = true
	k.found = append(k.found, pid)
	// A program is started in a session of its own, so that of a member was
	// made by one.
	if s, ok := k.stats[pid]; ok && s.Session > 1 && s.Session != k.stats[k.self].Session {
		k.sessions[s.Session] = true
	}
}

// close adds the children and the sessions of members until there are none.
func (k *kin) close() {
	for before := -1; before != len(k.found); {
		before = len(k.found)
		for pid, s := range k.stats {
			if s.Start >= k.since && (k.in[s.PPID] || k.sessions[s.Session]) {
				k.add(pid)
			}
		}
	}
}
