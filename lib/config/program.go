package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A programKey is one key that a program may have. Its read function sets
// the fields of the instance that the key is about and returns the value in
// canonical text, for Keys.
type programKey struct {
	name   string
	launch bool // a change restarts the instance
	read   func(b *builder, v value) string
}

const (
	launch = true
	policy = false
)

// programKeys is the table of taskmaster.yaml(5), in its order.
var programKeys = []programKey{
	{"cmd", launch, (*builder).readCmd},
	{"numprocs", policy, (*builder).readNumprocs},
	{"autostart", policy, (*builder).readAutostart},
	{"autorestart", policy, (*builder).readAutorestart},
	{"exitcodes", policy, (*builder).readExitCodes},
	{"starttime", policy, (*builder).readStartTime},
	{"startretries", policy, (*builder).readStartRetries},
	{"stopsignal", policy, (*builder).readStopSignal},
	{"stoptime", policy, (*builder).readStopTime},
	{"stopgroup", policy, (*builder).readStopGroup},
	{"background", launch, (*builder).readBackground},
	{"stdout", launch, (*builder).readStdout},
	{"stderr", launch, (*builder).readStderr},
	{"env", launch, (*builder).showEnv},
	{"clearenv", launch, (*builder).readClearEnv},
	{"workingdir", launch, (*builder).readWorkingDir},
	{"umask", launch, (*builder).readUmask},
	{"user", launch, (*builder).readUser},
	{"group", launch, (*builder).readGroup},
	{"no_new_privs", launch, (*builder).readNoNewPrivs},
	{"priority", policy, (*builder).readPriority},
	{"limits", launch, (*builder).readLimits},
	{"nice", launch, (*builder).readNice},
	{"oom_score_adj", launch, (*builder).readOOMScoreAdj},
	{"backoff", policy, (*builder).readBackoff},
	{"description", policy, (*builder).readDescription},
	{"ready", policy, (*builder).readReady},
	{"after", policy, (*builder).readAfter},
	{"check", policy, (*builder).readCheck},
	{"watchdog", policy, (*builder).readWatchdog},
}

// builtin are the defaults that hold where neither the program nor
// `defaults:` says otherwise. A null stands for what cannot be written: that
// of tmd, or none.
const builtin = `
numprocs: 1
autostart: true
autorestart: unexpected
exitcodes: [0]
starttime: 1
startretries: 3
stopsignal: TERM
stoptime: 10
stopgroup: tree
background: kill
stdout: discard
stderr: discard
env: ~
clearenv: false
workingdir: ~
umask: ~
user: ~
group: ~
no_new_privs: false
priority: 999
limits: ~
nice: ~
oom_score_adj: ~
backoff: {first: 1s, max: 60s}
description: ""
ready: ~
after: []
check: ~
watchdog: 0
`

// nullable are the keys whose default has no spelling, so that a null may
// take back what `defaults:` says.
var nullable = []string{"env", "workingdir", "umask", "user", "group", "limits", "nice", "oom_score_adj", "ready", "after", "check"}

// combined are the maps of which a program may change single keys and keep
// the rest of its defaults.
var combined = []string{"env", "limits", "backoff"}

var builtinFields = mustParseBuiltin()

// A layer is settings over those that hold where it has none.
type layer struct {
	own   map[string]value
	under *layer // nil for builtins
}

var builtins = &layer{own: builtinFields}

// get returns the setting of a key; where single keys of a map may be changed,
// with the one below it.
func (f *layer) get(name string) (v value, ok bool) {
	if f == nil {
		return value{}, false
	}
	v, ok = f.own[name]
	if !ok {
		return f.under.get(name)
	}
	if slices.Contains(combined, name) {
		if below, has := f.under.get(name); has && below.isMap() {
			v.below = &below
		}
	}
	return v, true
}

func mustParseBuiltin() map[string]value {
	root, _, err := decode([]byte(builtin))
	if err != nil {
		panic(err)
	}
	fields := map[string]value{}
	for i := 0; i < len(root.Content); i += 2 {
		key := root.Content[i].Value
		fields[key] = value{node: root.Content[i+1], src: &source{}, key: key}
	}
	return fields
}

// A builder makes one instance of a program.
type builder struct {
	scope
	given    *layer // the program's keys, over all defaults
	trial    bool   // a look at `defaults:` only: the instance is thrown away
	envShown string // env in canonical text
}

var programName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

const maxName = 48 // bytes of a program's name; the instance's number comes on top

// checkName reports a name that a program cannot have.
func (l *loader) checkName(s setting) {
	switch {
	case !programName.MatchString(s.name):
		l.mistakeAt(s.value, s.at, fmt.Sprintf("%s cannot name a program: it is made of letters, digits, _ . and -, and begins with none of the last two", quoted(s.name)))
	case len(s.name) > maxName:
		l.mistakeAt(s.value, s.at, fmt.Sprintf("%s cannot name a program: longer than %d bytes", quoted(s.name), maxName))
	case s.name == "all":
		l.mistakeAt(s.value, s.at, `"all" cannot name a program: it names all of them in commands`)
	}
}

// readProgram reads the map of one program and makes its instances. After a
// mistake the instances are not to be used.
func (l *loader) readProgram(s setting, defaults *layer) *Program {
	p := &Program{Name: s.name, File: s.src.path, Line: s.at.Line}
	fields := &layer{l.programFields(s.value), defaults}
	if _, ok := fields.get("cmd"); !ok && (s.isMap() || s.isNull()) {
		l.mistakeAt(s.value, s.at, s.key+": no cmd: every program needs one")
	}
	before := len(l.mistakes)
	first, varies := l.build(p, 0, fields, false)
	if len(l.mistakes) > before {
		return p
	}
	l.fill(p, first, varies, fields)
	return p
}

// fill makes the instances of p, of which the first is built.
func (l *loader) fill(p *Program, first *Instance, varies bool, fields *layer) {
	before := len(l.mistakes)
	for num := 0; num < p.Numprocs && l.spend(instanceCost) && len(l.mistakes) == before; num++ {
		in := first
		switch {
		case num > 0 && varies:
			in, _ = l.build(p, num, fields, false)
		case num > 0:
			in = &Instance{Name: instanceName(p.Name, num), Program: p.Name, Num: num, Values: first.Values}
		}
		p.Instances = append(p.Instances, in)
	}
}

// build makes one instance, and tells whether the next will differ from it
// in more than its number.
func (l *loader) build(p *Program, num int, fields *layer, trial bool) (in *Instance, varies bool) {
	in = &Instance{
		Name: instanceName(p.Name, num), Program: p.Name, Num: num,
		Values: &Values{Keys: make([]*Key, 0, len(programKeys))},
	}
	b := &builder{scope: scope{loader: l, program: p, in: in}, given: fields, trial: trial}
	l.spend(keysCost)
	b.readEnv()
	for _, k := range programKeys {
		v, ok := fields.get(k.name)
		if !ok {
			continue
		}
		switch {
		case v.isNull() && k.name != "cmd" && !slices.Contains(nullable, k.name):
			b.bad(v, "no value given: leave the key out to have the default")
			continue
		case trial && b.leavesOpen(v.node):
			continue
		}
		key := Key{Name: k.name, Value: k.read(b, v), Launch: k.launch, File: v.src.path}
		if v.at != nil {
			key.Line = v.at.Line
		}
		in.Keys = append(in.Keys, l.share(key))
		for _, key := range logKeys(in, k.name, key) {
			in.Keys = append(in.Keys, l.share(key))
		}
	}
	b.checkTogether()
	return in, b.varies
}

// share returns the one Key in memory of all that say the same. Most of those
// of thousands of programs come from the same defaults.
func (l *loader) share(k Key) *Key {
	if known := l.keys[k]; known != nil {
		return known
	}
	one := k
	l.keys[k] = &one
	return &one
}

// programFields returns the keys that a program's map, or `defaults:`, gives.
func (l *loader) programFields(v value) map[string]value {
	fields := map[string]value{}
	if v.isNull() {
		return fields
	}
	for _, s := range l.settings(v) {
		if isProgramKey(s.name) {
			fields[s.name] = s.value
			continue
		}
		l.mistakeAt(s.value, s.at, fmt.Sprintf("unknown key %s%s", quoted(s.name), l.programHint(s.name)))
	}
	return fields
}

// isProgramKey reports whether a program may have a key. All have a builtin
// default but cmd.
func isProgramKey(name string) bool {
	_, known := builtinFields[name]
	return known || name == "cmd"
}

// checkTogether reports what is wrong between two keys. Of `defaults:` alone
// nothing can be said, since a program may have the other key.
func (b *builder) checkTogether() {
	if w, _ := b.given.get("watchdog"); !b.trial && b.in.Watchdog > 0 && (b.in.Ready == nil || b.in.Ready.Kind != "sd_notify") {
		b.bad(w, "the program can only say that it lives with ready: {sd_notify: true}")
	}
}

// foreignKeys are the names of Supervisor, and of others that people come from,
// for what has another one here.
var foreignKeys = map[string]string{
	"command": "cmd", "directory": "workingdir", "environment": "env", "startsecs": "starttime",
	"stopwaitsecs": "stoptime", "stdout_logfile": "stdout", "stderr_logfile": "stderr",
	"redirect_stderr": "stderr: stdout", "stopasgroup": "stopgroup", "killasgroup": "stopgroup",
	// Compose has these.
	"restart": "autorestart", "depends_on": "after", "healthcheck": "check", "replicas": "numprocs",
}

// programHint says what to do about an unknown key of a program.
func (l *loader) programHint(name string) string {
	switch {
	case foreignKeys[name] != "":
		return ", did you mean " + quoted(foreignKeys[name]) + "?"
	case slices.Contains(logFields, name):
		return ": it belongs in a log map, stdout: {file: PATH, " + name + ": ...}"
	case slices.Contains(settingsFields, name):
		return ": it belongs under taskmaster:"
	}
	return l.didYouMean(name, programKeyNames())
}

func programKeyNames() []string {
	return append(slices.Sorted(maps.Keys(builtinFields)), "cmd")
}

// braced writes fields of a map in canonical text.
func braced(fields ...string) string { return "{" + strings.Join(fields, ", ") + "}" }

// bracketed writes the items of a list in canonical text.
func bracketed(items ...string) string { return "[" + strings.Join(items, ", ") + "]" }
