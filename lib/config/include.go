package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"taskmaster/lib/glob"
)

var globMeta = regexp.MustCompile(`[*?[\\]`)

// included reads the files that one item of `include:` names and returns
// their `programs:` maps. A pattern is relative to the file that it stands
// in; its matches come in the order of their names. As in a shell `*` matches
// no leading point. A name without match is a mistake, a glob only a warning,
// since conf.d may be empty.
func (l *loader) included(item value) []value {
	pattern := (&scope{loader: l}).expandPath(item)
	if pattern == "" {
		return nil
	}
	dir := ""
	if !filepath.IsAbs(pattern) {
		dir = filepath.Dir(l.main.path)
	}
	if !globMeta.MatchString(pattern) {
		return l.includeFile(filepath.Join(dir, pattern), item)
	}
	matches, err := filepath.Glob(glob.FromShell(filepath.Join(globMeta.ReplaceAllString(dir, `\$0`), pattern)))
	if err != nil {
		l.bad(item, "%s is not a pattern: a [ is never closed", quoted(pattern))
		return nil
	}
	var blocks []value
	some := false
	for _, path := range matches {
		hidden := strings.HasPrefix(filepath.Base(path), ".") && !strings.HasPrefix(filepath.Base(pattern), ".")
		if hidden || l.absolute(path) == l.absolute(l.main.path) {
			continue
		}
		some = true
		blocks = append(blocks, l.includeFile(path, item)...)
	}
	if !some {
		l.warnAt(item, item.node, fmt.Sprintf("include: no file matches %s", quoted(pattern)))
	}
	return blocks
}

// includeFile reads one file, unless another item named it before.
func (l *loader) includeFile(path string, item value) []value {
	if l.opened[l.absolute(path)] {
		return nil
	}
	root, ok := l.open(path, item)
	if !ok || root.isNull() {
		return nil
	}
	var blocks []value
	for _, s := range l.settings(root) {
		if s.name == "programs" {
			blocks = append(blocks, s.value)
			continue
		}
		l.mistakeAt(s.value, s.at, fmt.Sprintf("unknown key %s: an included file has programs: only", quoted(s.name)))
	}
	return blocks
}
