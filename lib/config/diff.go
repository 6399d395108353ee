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
func Diff(old, new []Key) []Change {
	was := make(map[string]Key, len(old))
	for _, k := range old {
		was[k.Name] = k
	}
	var changes []Change
	for _, k := range new {
		before := was[k.Name]
		delete(was, k.Name)
		if before.Value != k.Value && k.Name != "numprocs" {
			changes = append(changes, Change{k.Name, before.Value, k.Value, k.Launch})
		}
	}
	for _, k := range old {
		if _, gone := was[k.Name]; gone && k.Name != "numprocs" {
			changes = append(changes, Change{k.Name, k.Value, "", k.Launch})
		}
	}
	return changes
}

// PublicKeys are Keys for those who may look at the configuration but not at
// its secrets: the values of environment variables are written ***.
func (in *Instance) PublicKeys() []Key {
	keys := slices.Clone(in.Keys)
	for i := range keys {
		if keys[i].Name != "env" {
			continue
		}
		shown := make([]string, len(in.Env))
		for j, entry := range in.Env {
			name, _, _ := strings.Cut(entry, "=")
			shown[j] = quoteWord(name) + ": ***"
		}
		keys[i].Value = braced(shown...)
	}
	return keys
}
