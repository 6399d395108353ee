package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A configuration that would take more memory than this is refused: defaults,
// merge keys and numprocs can make a small file describe very much.
const (
	maxCost      = 64 << 20 // bytes
	valueCost    = 32
	instanceCost = 1 << 10
	keysCost     = 2 << 10
)

// A loader reads one configuration.
type loader struct {
	*report
	opts         Options
	values       int  // seen in all files, for maxValues
	cost         int  // of what is made of them, for maxCost
	spent        bool // cost has passed maxCost and that is reported
	main         *source
	opened       map[string]bool  // absolute paths
	unread       bool             // some file could not be read: its programs are not known
	claims       map[string]claim // who writes which path
	dependencies []dependency     // every item of an after:
	guesses      int              // names compared by didYouMean
	keys         map[Key]*Key     // all that were made
	accounts     map[string]account
	groups       map[string]group
}

// Load reads the configuration at path, with the files that it includes, and
// returns either the whole of it or every mistake in it, sorted by place. It
// changes nothing and starts nothing but getent(1) and id(1) by o.Run.
func Load(path string, o Options) (*File, Mistakes) {
	if o.Getenv == nil {
		o.Getenv = os.LookupEnv
	}
	if o.Hostname == "" {
		o.Hostname, _ = os.Hostname()
	}
	if o.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, Mistakes{{Text: "unable to find the working directory: " + err.Error()}}
		}
		o.Dir = dir
	}
	l := &loader{
		report: newReport(), opts: o,
		opened: map[string]bool{}, claims: map[string]claim{}, keys: map[Key]*Key{}, accounts: map[string]account{}, groups: map[string]group{},
	}
	file := l.load(path)
	if len(l.mistakes) > 0 {
		l.sort(l.mistakes)
		return nil, l.mistakes
	}
	l.sort(l.warnings)
	for _, w := range l.warnings {
		w.Text = "warning: " + w.Text
		file.Warnings = append(file.Warnings, w.Error())
	}
	return file, nil
}

// topFields are the keys of the file.
var topFields = []string{"taskmaster", "defaults", "programs"}

func (l *loader) load(path string) *File {
	root, ok := l.open(path, value{})
	if !ok {
		return nil
	}
	l.main = root.src
	file := &File{Path: path}
	fields := l.top(root)
	settings := l.readSettings(fields["taskmaster"])
	file.Settings = settings.Settings
	defaults := l.readDefaults(fields["defaults"])
	blocks := []value{fields["programs"]}
	for _, include := range settings.include {
		blocks = append(blocks, l.included(include)...)
	}
	_, has := fields["programs"]
	if !has && len(settings.include) == 0 && root.isMap() {
		l.mistakeAt(root, root.node, "no programs: write programs: {} to run none")
	}
	file.Programs = l.readPrograms(blocks, defaults)
	l.checkAfter(file.Programs)
	return file
}

// top returns the maps of the file by their keys.
func (l *loader) top(root value) map[string]value {
	fields := map[string]value{}
	if root.isNull() {
		l.mistakeAt(root, root.node, "an empty file: write programs: {} to run none")
		return fields
	}
	for _, s := range l.settings(root) {
		if !slices.Contains(topFields, s.name) {
			l.mistakeAt(s.value, s.at, fmt.Sprintf("unknown key %s%s", quoted(s.name), l.topHint(s)))
			continue
		}
		fields[s.name] = s.value
	}
	return fields
}

// topHint says what to do about an unknown key of the file.
func (l *loader) topHint(s setting) string {
	switch near := l.didYouMean(s.name, topFields); {
	case near != "":
		return near
	case isProgramKey(s.name):
		return ": it belongs under programs: NAME: or defaults:"
	case slices.Contains(settingsFields, s.name):
		return ": it belongs under taskmaster:"
	case s.isMap():
		return ": a program belongs under programs:"
	}
	return ": there are " + strings.Join(topFields, ", ")
}

// readDefaults returns the settings under `defaults:` after a look at each
// of them by itself, so that its mistakes show even where nobody uses it.
func (l *loader) readDefaults(v value) *layer {
	if v.node == nil {
		return builtins
	}
	defaults := &layer{l.programFields(v), builtins}
	l.build(&Program{Name: "defaults"}, 0, defaults, true)
	return defaults
}

// readPrograms reads the `programs:` maps of all files. A name stands for one
// program in all of them, in one spelling.
func (l *loader) readPrograms(blocks []value, defaults *layer) []*Program {
	var programs []*Program
	first := map[string]setting{}
	for _, block := range blocks {
		if block.node == nil || block.isNull() {
			continue
		}
		for _, s := range l.settings(block) {
			l.checkName(s)
			lower := strings.ToLower(s.name)
			if before, taken := first[lower]; taken {
				l.mistakeAt(s.value, s.at, clash(s, before))
				continue
			}
			first[lower] = s
			programs = append(programs, l.readProgram(s, defaults))
		}
	}
	return programs
}

func clash(s, before setting) string {
	where := fmt.Sprintf("%s:%d", printable(before.src.path), before.at.Line)
	if s.name == before.name {
		return fmt.Sprintf("program %s is described at %s already", quoted(s.name), where)
	}
	return fmt.Sprintf("program %s differs only in case from %s at %s", quoted(s.name), quoted(before.name), where)
}

// spend counts what is made of the files: one value, and some bytes besides.
// It returns false, and has reported it, when that is too much; then nobody
// needs to go on.
func (l *loader) spend(bytes int) bool {
	l.cost += valueCost + bytes
	if l.cost > maxCost && !l.spent {
		l.spent = true
		l.mistake(Mistake{l.main.path, 1, 1, "the programs described here would fill more than 64 MB: lower numprocs, or share less by defaults and merge keys"})
	}
	return !l.spent
}
