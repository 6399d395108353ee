package config

import (
	"slices"
	"strings"
)

// A Change is one key whose value differs between two readings. A value that
// only one of them has is "" in the other.
type Change struct {
	Name     string
	Old, New string
	Launch   bool // it restarts the instance
}

// Diff tells what differs between two Keys of one instance, in the order of
// new. numprocs is left out: the instances that come and go tell it.
func Diff(old, new []*Key) []Change {
	if slices.EqualFunc(old, new, sameSetting) {
		return nil // as nearly always, and a map for each of thousands costs
	}
	was := make(map[string]string, len(old))
	for _, k := range old {
		was[k.Name] = k.Value
	}
	var changes []Change
	for _, k := range new {
		before := was[k.Name]
		delete(was, k.Name)
		if before != k.Value && k.Name != "numprocs" {
			changes = append(changes, Change{k.Name, before, k.Value, k.Launch})
		}
	}
	for _, k := range old {
		if _, gone := was[k.Name]; gone && k.Name != "numprocs" {
			changes = append(changes, Change{k.Name, k.Value, "", k.Launch})
		}
	}
	return changes
}

func sameSetting(a, b *Key) bool {
	return a == b || a.Name == b.Name && (a.Value == b.Value || a.Name == "numprocs")
}

// PublicKeys are Keys for those who may look at the configuration but not at
// its secrets: the values of environment variables are written ***.
func (in *Instance) PublicKeys() []*Key {
	keys := slices.Clone(in.Keys)
	for i, k := range keys {
		if k.Name != "env" {
			continue
		}
		shown := make([]string, len(in.Env))
		for j, entry := range in.Env {
			name, _, _ := strings.Cut(entry, "=")
			shown[j] = quoteWord(name) + ": ***"
		}
		public := *k
		public.Value = braced(shown...)
		keys[i] = &public
	}
	return keys
}
