package main

import (
	"strings"

	"taskmaster/lib/config"
	"taskmaster/lib/statedir"
)

// A step is what a reload does with one instance.
type step struct {
	name    string
	in      *instance        // nil for one to be added
	conf    *config.Instance // nil for one to be removed
	changes []config.Change
}

// plan compares what runs with a configuration; it changes nothing. Removals
// come first, then what stays and what is added in the order of the file.
func (d *daemon) plan(file *config.File) []step {
	wanted := map[string]bool{}
	var stay []step
	for _, p := range file.Programs {
		for _, conf := range p.Instances {
			wanted[conf.Name] = true
			in := d.instances[conf.Name]
			if in == nil || in.removing {
				stay = append(stay, step{name: conf.Name, conf: conf})
				continue
			}
			if changes := config.Diff(in.keys, conf.Keys); len(changes) > 0 {
				stay = append(stay, step{name: conf.Name, in: in, conf: conf, changes: changes})
			}
		}
	}
	var steps []step
	for _, in := range d.sorted(func(in *instance) bool { return !wanted[in.name] && !in.removing }) {
		steps = append(steps, step{name: in.name, in: in})
	}
	return append(steps, stay...)
}

// launch are the names of the changed keys that a process is started with.
func (s step) launch() []string {
	var names []string
	for _, c := range s.changes {
		if c.Launch {
			names = append(names, c.Name)
		}
	}
	return names
}

// restarts reports whether the step starts the instance anew.
func (s step) restarts() bool {
	return s.in != nil && len(s.launch()) > 0 && s.in.takesRestart()
}

// takesRestart: one that rests, STOPPED or EXITED, waits for a start instead.
func (in *instance) takesRestart() bool {
	switch in.state() {
	case statedir.Stopped, statedir.Exited:
		return false
	}
	return !in.wantedDown()
}

// wantedDown reports whether someone stopped it, also by a command that its
// helper has yet to take.
func (in *instance) wantedDown() bool {
	switch verb, _, _ := strings.Cut(in.unheeded, " "); verb {
	case "stop":
		return true
	case "start", "restart", "await":
		return false
	}
	return in.status.Wish == statedir.WishDown
}

// lines is the step as `reload -n` prints it.
func (s step) lines() []string {
	switch {
	case s.conf == nil:
		return []string{"- " + s.name}
	case s.in == nil:
		return []string{"+ " + s.name}
	}
	var lines []string
	if names := s.launch(); len(names) > 0 {
		what := " restart ("
		if !s.restarts() {
			what = " next start ("
		}
		lines = append(lines, "~ "+s.name+what+strings.Join(names, ", ")+")")
	}
	for _, c := range s.changes {
		if !c.Launch {
			lines = append(lines, ". "+s.name+" "+c.Name+" "+shownValue(c.Old)+" -> "+shownValue(c.New))
		}
	}
	return lines
}

func shownValue(text string) string {
	if text == "" {
		return `""`
	}
	return text
}
