package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// The keys that fix a process at its start.

func (b *builder) readCmd(v value) string {
	b.in.Cmd = b.words(v)
	return quoteWords(b.in.Cmd)
}

// words reads a command: a line to be split like a shell does, after its
// expansions, or a list of words, each expanded by itself.
func (s *scope) words(v value) []string {
	var words []string
	before := len(s.mistakes)
	if v.isList() {
		for _, item := range s.list(v) {
			words = append(words, s.expandText(item))
		}
	} else {
		words = s.splitLine(v, s.expandWord(v))
	}
	if len(s.mistakes) > before {
		return nil
	}
	if len(words) == 0 || words[0] == "" {
		s.bad(v, "an empty command")
		return nil
	}
	return words
}

// isOperator reports whether a word means something to a shell only.
func isOperator(word string) bool {
	return slices.Contains([]string{"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1", ">&2"}, word)
}

// splitLine splits a command line and warns of what only a shell would heed.
func (l *loader) splitLine(v value, line string) []string {
	words, err := split(line)
	if err != nil {
		l.bad(v, "%s", err)
		return nil
	}
	l.spend(4*len(line) + valueCost*len(words))
	if i := slices.IndexFunc(words, isOperator); i >= 0 {
		l.warnAt(v, v.node, fmt.Sprintf("%s: no shell runs this: %s is passed on as a word; for a shell write sh -c '...'", v.key, words[i]))
	}
	for i, word := range words {
		// What follows -c is for a shell indeed.
		if (i == 0 || words[i-1] != "-c") && l.warnUnexpanded(v, word) {
			break
		}
	}
	return words
}

// variableCost is what a variable takes on its way to Env and Keys.
const variableCost = 64

// ownVariables are those by which tmd and its helpers know a process again.
var ownVariables = []string{"TM_NAME", "TM_PROGRAM", "TM_NUM", "TM_STATE"}

// readEnv comes before all other keys, in which %(ENV_X)s is one of these
// variables if there is one, as in Supervisor.
func (b *builder) readEnv() {
	v, _ := b.given.get("env")
	env := map[string]string{}
	b.collectEnv(v, env)
	b.env = env
	shown := make([]string, 0, len(env))
	b.in.Env = make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		b.spend(2 * (len(name) + len(env[name])))
		b.in.Env = append(b.in.Env, name+"="+env[name])
		shown = append(shown, quoteWord(name)+": "+quoteWord(env[name]))
	}
	b.envShown = braced(shown...)
}

func (b *builder) showEnv(value) string { return b.envShown }

var environmentUse = regexp.MustCompile(`%\(ENV_([^)]*)\)`)

// leavesOpen reports whether `defaults:` says something, at n, that depends on
// a variable which only a program may have.
func (b *builder) leavesOpen(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	for _, use := range environmentUse.FindAllStringSubmatch(n.Value, -1) {
		_, own := b.env[use[1]]
		if _, ok := b.opts.Getenv(use[1]); !own && !ok {
			return true
		}
	}
	return slices.ContainsFunc(n.Content, b.leavesOpen)
}

// collectEnv puts the variables of v into env, over those of its defaults.
func (b *builder) collectEnv(v value, env map[string]string) {
	if v.isNull() {
		return
	}
	if v.below != nil {
		b.collectEnv(*v.below, env)
	}
	for _, s := range b.settings(v) {
		switch {
		case s.name == "" || strings.Contains(s.name, "="):
			b.mistakeAt(s.value, s.at, fmt.Sprintf("env: %s cannot name a variable", quoted(s.name)))
		case slices.Contains(ownVariables, s.name):
			b.mistakeAt(s.value, s.at, fmt.Sprintf("env: %s is set by tmd", s.name))
		default:
			s.key = "env." + s.key
			b.spend(variableCost)
			env[s.name] = b.expandText(s.value)
		}
	}
}

func (b *builder) readClearEnv(v value) string {
	b.in.ClearEnv = b.boolean(v)
	return strconv.FormatBool(b.in.ClearEnv)
}

func (b *builder) readWorkingDir(v value) string {
	if v.isNull() {
		return inherited
	}
	path := b.expandPath(v)
	b.in.WorkingDir = b.absolute(path)
	return showPath(path)
}

// inherited stands in Keys for what a process has from tmd. It is no word
// that quoteWord returns for any text.
const inherited = "tmd's"

// absolute gives a path from the directory of tmd. Its `.` and `..` are
// taken out, so that two spellings of a path are one.
func (l *loader) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.opts.Dir, path)
}

// showPath is the canonical text of a path: as the file has it, not
// absolute, so that a tmd started in another directory restarts nothing.
func showPath(path string) string {
	path = filepath.Clean(path)
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, ".") {
		path = "./" + path
	}
	return quoteWord(path)
}

func (b *builder) readUmask(v value) string {
	b.in.Umask = -1
	if v.isNull() {
		return inherited
	}
	text := b.expandWord(v)
	if text == "" {
		return inherited
	}
	digits := strings.TrimPrefix(strings.ToLower(text), "0o")
	n, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || n > 0o777 {
		b.bad(v, "%s is not an octal number from 0 to 777", quoted(text))
		return inherited
	}
	b.in.Umask = int(n)
	return fmt.Sprintf("%03o", n)
}

func (b *builder) readNoNewPrivs(v value) string {
	b.in.NoNewPrivs = b.boolean(v)
	return strconv.FormatBool(b.in.NoNewPrivs)
}

// limitNames are those of limits.conf(5) that programs are given.
var limitNames = []string{"as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "rss", "stack"}

// countLimits are not in bytes.
var countLimits = []string{"cpu", "nofile", "nproc"}

func (b *builder) readLimits(v value) string {
	limits := map[string]uint64{}
	b.collectLimits(v, limits)
	var shown []string
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		b.in.Limits = append(b.in.Limits, Limit{name, limits[name]})
		shown = append(shown, name+": "+showLimit(name, limits[name]))
	}
	return braced(shown...)
}

func (b *builder) collectLimits(v value, limits map[string]uint64) {
	if v.isNull() {
		return
	}
	if v.below != nil {
		b.collectLimits(*v.below, limits)
	}
	for name, limit := range b.fields(v, limitNames...) {
		limit, ok := b.plain(limit)
		switch {
		case !ok:
		case limit.node.Kind == yaml.ScalarNode && limit.node.Value == "unlimited":
			limits[name] = Unlimited
		case slices.Contains(countLimits, name):
			limits[name] = uint64(b.integer(limit, 0, 1<<40))
		default:
			limits[name] = uint64(b.size(limit))
		}
	}
}

func showLimit(name string, n uint64) string {
	switch {
	case n == Unlimited:
		return "unlimited"
	case slices.Contains(countLimits, name):
		return strconv.FormatUint(n, 10)
	}
	return formatSize(int64(n))
}

func (b *builder) readNice(v value) string {
	return b.optional(v, &b.in.Nice, -20, 19)
}

func (b *builder) readOOMScoreAdj(v value) string {
	return b.optional(v, &b.in.OOMScoreAdj, -1000, 1000)
}

// optional reads a number that is inherited unless it is given.
func (b *builder) optional(v value, to **int, lo, hi int) string {
	if v.isNull() {
		return inherited
	}
	n := b.integer(v, lo, hi)
	*to = &n
	return strconv.Itoa(n)
}

func (b *builder) readBackground(v value) string {
	b.in.Background = b.choice(v, "kill", "follow")
	return b.in.Background
}
