package supervisord

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// A programKey says what becomes of one key of a [program:x].
type programKey struct {
	name string
	// turn adds the key's counterpart to the program, or a comment.
	turn func(p *program, value string)
}

// A program is one [program:x] on its way.
type program struct {
	*translation
	block
	section *section
	group   *section // that it belongs to, nil for none

	variables    [][2]string // of environment=, expanded
	notVariables error       // why there are none
	own          map[string]string
}

// programKeys are the keys of Supervisor 4, in the order of its manual. Those
// about output are translated together, in output.go.
var programKeys = []programKey{
	{"command", (*program).command},
	{"process_name", (*program).processName},
	{"numprocs", integer("numprocs")},
	{"numprocs_start", (*program).numprocsStart},
	{"priority", (*program).priority},
	{"autostart", boolean("autostart")},
	{"startsecs", integer("starttime")},
	{"startretries", integer("startretries")},
	{"autorestart", (*program).autorestart},
	{"exitcodes", (*program).exitCodes},
	{"stopsignal", (*program).stopSignal},
	{"stopwaitsecs", integer("stoptime")},
	{"stopasgroup", (*program).stopAsGroup},
	{"killasgroup", (*program).killAsGroup},
	{"user", text("user")},
	{"redirect_stderr", nil},
	{"stdout_logfile", nil},
	{"stdout_logfile_maxbytes", nil},
	{"stdout_logfile_backups", nil},
	{"stdout_capture_maxbytes", no("stdout_capture_maxbytes", "no event is made of what a program prints")},
	{"stdout_events_enabled", no("stdout_events_enabled", "no event is made of what a program prints")},
	{"stdout_syslog", (*program).syslog},
	{"stderr_logfile", nil},
	{"stderr_logfile_maxbytes", nil},
	{"stderr_logfile_backups", nil},
	{"stderr_capture_maxbytes", no("stderr_capture_maxbytes", "no event is made of what a program prints")},
	{"stderr_events_enabled", no("stderr_events_enabled", "no event is made of what a program prints")},
	{"stderr_syslog", (*program).syslog},
	{"environment", (*program).environment},
	{"directory", text("workingdir")},
	{"umask", (*program).umask},
	{"serverurl", no("serverurl", "programs find tmd by TM_STATE")},
}

// program translates one section.
func (t *translation) program(s *section, group *section) {
	p := &program{translation: t, section: s, group: group}
	p.block.name = t.programName(s.title)
	if p.block.name != s.title {
		p.comment("Supervisor's name was %s", s.title)
	}
	p.readEnvironment()
	known := map[string]bool{}
	for _, k := range programKeys {
		known[k.name] = true
		if value, ok := s.lookup(k.name); ok && k.turn != nil {
			k.turn(p, value)
		}
		if k.name == "redirect_stderr" {
			p.output()
		}
	}
	if _, ok := s.lookup("command"); !ok {
		p.comment("command is missing: Supervisor would refuse this, and so does tmd")
	}
	if _, ok := s.lookup("priority"); !ok {
		p.priority("")
	}
	for _, o := range s.options {
		if !known[o.key] {
			p.comment("%s: no key of Supervisor 4, which ignores it silently", o.shown())
		}
	}
	t.progs = append(t.progs, &p.block)
}

var nameless = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// programName makes a name that taskmaster.yaml(5) allows.
func (t *translation) programName(title string) string {
	name := nameless.ReplaceAllString(title, "_")
	if name == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || name == "all" {
		name = "_" + name
	}
	const most = 48
	name = name[:min(len(name), most)]
	unique := name
	for n := 2; t.names[strings.ToLower(unique)]; n++ {
		suffix := "_" + strconv.Itoa(n)
		unique = name[:min(len(name), most-len(suffix))] + suffix
	}
	t.names[strings.ToLower(unique)] = true
	return unique
}

// text, integer, boolean and no make the functions for the plain cases.

func text(to string) func(*program, string) {
	return func(p *program, value string) { p.key(to, scalar(p.expanded(value))) }
}

func integer(to string) func(*program, string) {
	return func(p *program, value string) {
		if n, ok := p.number(to, value); ok {
			p.key(to, strconv.Itoa(n))
		}
	}
}

func boolean(to string) func(*program, string) {
	return func(p *program, value string) {
		if !isTrue(value) && !isFalse(value) {
			p.comment("%s=%s: neither true nor false, so this is the default", to, value)
			return
		}
		p.key(to, strconv.FormatBool(isTrue(value)))
	}
}

// no is for a key without counterpart; one that is off needs none.
func no(key, reason string) func(*program, string) {
	return func(p *program, value string) {
		if !isOff(value) {
			p.comment("%s=%s: %s", key, value, reason)
		}
	}
}

func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "1":
		return true
	}
	return false
}

func isFalse(value string) bool {
	switch strings.ToLower(value) {
	case "false", "no", "off", "0":
		return true
	}
	return false
}

// isOff reports whether a key says no more than its default does.
func isOff(value string) bool {
	switch strings.ToLower(value) {
	case "", "false", "no", "off", "none", "auto":
		return true
	}
	return strings.Trim(strings.ToUpper(value), "0KMGB") == ""
}

// number reads a whole number, which may be in the environment.
func (p *program) number(key, value string) (int, bool) {
	fixed := fromEnvironment(value)
	n, err := strconv.Atoi(strings.TrimSpace(fixed))
	switch {
	case err != nil:
		p.comment("%s: %s is no number here", key, value)
		return 0, false
	case fixed != value:
		p.comment("%s was %s, which is looked up when this file is made", key, value)
	}
	return n, true
}

var environmentUse = regexp.MustCompile(`%\(ENV_([^)]*)\)s`)

// fromEnvironment replaces variables by what they are at this moment.
func fromEnvironment(text string) string {
	return environmentUse.ReplaceAllStringFunc(text, func(use string) string {
		return os.Getenv(environmentUse.FindStringSubmatch(use)[1])
	})
}

// expanded replaces what only Supervisor expands: the name of the group, the
// number of processes, a name that had to be changed, and variables that the
// program's environment= or that of [supervisord] sets.
func (p *program) expanded(value string) string {
	group := p.section.title
	if p.group != nil {
		group = p.group.title
	}
	numprocs := p.section.get("numprocs")
	if numprocs == "" {
		numprocs = "1"
	}
	value = strings.NewReplacer("%(group_name)s", group, "%(numprocs)d", numprocs, "%(numprocs)s", numprocs).Replace(value)
	if p.block.name != p.section.title {
		value = strings.ReplaceAll(value, "%(program_name)s", strings.ReplaceAll(p.section.title, "%", "%%"))
	}
	return environmentUse.ReplaceAllStringFunc(value, func(use string) string {
		text, set := p.variable(environmentUse.FindStringSubmatch(use)[1])
		// In another key the variables in text would be the program's too, and
		// HOME="%(ENV_HOME)s/web" be applied twice. tmd itself finds it in env.
		if !set || p.own != nil && environmentUse.MatchString(text) {
			return use
		}
		return text
	})
}

// variable returns what the program's environment= or that of [supervisord]
// sets.
func (p *program) variable(name string) (text string, set bool) {
	if text, set = p.own[name]; !set {
		text, set = p.env[name]
	}
	return text, set
}

// command writes one line where that means the same to both, and the words it
// is split into where tmd would call it unclear.
func (p *program) command(value string) {
	value = p.expanded(value)
	unclear := strings.Contains(value, `\`) || regexp.MustCompile(`(^|\s)#`).MatchString(value) ||
		strings.Contains(value, "\n") && strings.ContainsAny(value, `'"`)
	if !unclear {
		p.key("cmd", scalar(strings.ReplaceAll(value, "\n", " ")))
		return
	}
	words, ok := splitWords(value)
	if !ok {
		p.comment("command=%s: a quote is never closed", value)
		return
	}
	p.key("cmd", list(words))
}

func (p *program) processName(value string) {
	if value != "%(program_name)s" {
		p.comment("process_name=%s: instances are named %s:0 and so on", value, p.block.name)
	}
}

func (p *program) numprocsStart(value string) {
	if strings.TrimSpace(value) != "0" {
		p.comment("numprocs_start=%s: process_num always begins with 0", value)
	}
}

// priority is that of the group where there is one: Supervisor starts groups
// by theirs, and by the program's own within.
func (p *program) priority(value string) {
	own, has := p.section.lookup("priority")
	if p.group != nil {
		if of, ok := p.group.lookup("priority"); ok {
			if has && own != of {
				p.comment("priority=%s within the group %s: there is one order for all", own, p.group.title)
			}
			value = of
		}
	}
	if value != "" {
		integer("priority")(p, value)
	}
}

func (p *program) autorestart(value string) {
	switch {
	case strings.ToLower(value) == "unexpected":
		p.key("autorestart", "unexpected")
	case isTrue(value):
		p.key("autorestart", "always")
	case isFalse(value):
		p.key("autorestart", "never")
	default:
		p.comment("autorestart=%s: no such value, so this is the default", value)
	}
}

func (p *program) exitCodes(value string) {
	var codes []string
	for _, word := range splitList(value) {
		n, err := strconv.Atoi(word)
		if err != nil {
			p.comment("exitcodes=%s: %s is no number", value, word)
			return
		}
		codes = append(codes, strconv.Itoa(n))
	}
	p.key("exitcodes", "["+strings.Join(codes, ", ")+"]")
}

var signalForm = regexp.MustCompile(`^[A-Za-z0-9+-]+$`)

func (p *program) stopSignal(value string) {
	if !signalForm.MatchString(value) {
		p.comment("stopsignal=%s: no signal", value)
		return
	}
	p.key("stopsignal", strings.ToUpper(value))
}

func (p *program) stopAsGroup(value string) {
	if isTrue(value) {
		p.key("stopgroup", "group")
	}
}

func (p *program) killAsGroup(value string) {
	if isTrue(value) && !isTrue(p.section.get("stopasgroup")) {
		p.comment("killasgroup=%s: so does `stopgroup: tree`, the default", value)
	}
}

func (p *program) syslog(value string) {
	if isTrue(value) {
		p.comment("syslog: let the program write there itself, or run it as `sh -c 'CMD 2>&1 | logger -t NAME'`")
	}
}

// readEnvironment comes before all keys, since in these %(ENV_X)s is a variable
// of the program. In environment= itself it is not.
func (p *program) readEnvironment() {
	p.variables, p.notVariables = parseEnvironment(p.section.get("environment"))
	own := map[string]string{}
	for i, pair := range p.variables {
		p.variables[i][1] = p.expanded(pair[1])
		own[pair[0]] = p.variables[i][1]
	}
	p.own = own
}

func (p *program) environment(value string) {
	if p.notVariables != nil {
		p.comment("environment=%s: %s", value, p.notVariables)
		return
	}
	p.key("env", environmentMap(p.variables))
}

// environmentMap writes variables as a map on one line.
func environmentMap(pairs [][2]string) string {
	shown := make([]string, len(pairs))
	for i, pair := range pairs {
		shown[i] = scalar(pair[0]) + ": " + scalar(pair[1])
	}
	return "{" + strings.Join(shown, ", ") + "}"
}

func (p *program) umask(value string) {
	n, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(value), "0o"), 8, 32)
	if err != nil || n < 0 || n > 0o777 {
		p.comment("umask=%s: no octal number from 0 to 777", value)
		return
	}
	p.key("umask", fmt.Sprintf("%03o", n))
}
