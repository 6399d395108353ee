package supervisord

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"taskmaster/lib/glob"
)

// A config is a supervisord.conf with all that it includes.
type config struct {
	sections []*section // in the order of their first line
	files    map[string]bool
	missed   []string // patterns of [include] that match no file
}

// A section is all that stands under one [name], in all files.
type section struct {
	name    string // "program:web"
	kind    string // "program"; "" without a colon
	title   string // "web"
	options []option
}

// An option is one key=value.
type option struct {
	key   string // in lower case
	value string // several lines when it was continued, %(here)s replaced
}

// secretKeys are shown without their value.
var secretKeys = map[string]bool{"password": true}

// shown is an option for a comment.
func (o option) shown() string {
	if secretKeys[o.key] {
		return o.key + "=***"
	}
	return o.key + "=" + oneLine(o.value)
}

// lookup returns the value of a key, of which the last one counts.
func (s *section) lookup(key string) (string, bool) {
	for i := len(s.options) - 1; i >= 0; i-- {
		if s.options[i].key == key {
			return s.options[i].value, true
		}
	}
	return "", false
}

func (s *section) get(key string) string {
	value, _ := s.lookup(key)
	return value
}

// set gives a key a value; a later one replaces an earlier in its place.
func (s *section) set(key, value string) {
	for i := range s.options {
		if s.options[i].key == key {
			s.options[i].value = value
			return
		}
	}
	s.options = append(s.options, option{key, value})
}

// maxFile bounds what is read of one file.
const maxFile = 1 << 20

// readConfig reads the file at path and those that its [include] names: files
// that match, in the order of their names. Includes of included files are
// not read, as in Supervisor.
func readConfig(path string) (*config, error) {
	c := &config{files: map[string]bool{}}
	if err := c.read(path); err != nil {
		return nil, err
	}
	include := c.section("include", false)
	if include == nil {
		return c, nil
	}
	patterns, err := includePatterns(include.get("files"))
	if err != nil {
		return nil, fmt.Errorf("%s: include: %w", path, err)
	}
	for _, pattern := range patterns {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(path), pattern)
		}
		matches, err := filepath.Glob(glob.FromShell(pattern))
		if err != nil {
			return nil, fmt.Errorf("%s: include: %q is no pattern", path, pattern)
		}
		if len(matches) == 0 {
			c.missed = append(c.missed, pattern)
		}
		sort.Strings(matches)
		for _, match := range matches {
			if err := c.read(match); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// includePatterns splits the value of files=, with what Supervisor expands
// there. A variable that is not set would name other files.
func includePatterns(files string) ([]string, error) {
	for _, use := range environmentUse.FindAllStringSubmatch(files, -1) {
		if _, set := os.LookupEnv(use[1]); !set {
			return nil, fmt.Errorf("%s is not set in the environment", use[1])
		}
	}
	host, _ := os.Hostname()
	files = strings.ReplaceAll(fromEnvironment(files), "%(host_node_name)s", host)
	return strings.Fields(strings.ReplaceAll(files, "%%", "%")), nil
}

func (c *config) read(path string) error {
	if c.files[path] {
		return nil
	}
	c.files[path] = true
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		return fmt.Errorf("%s: larger than 1 MiB", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	here, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	return c.parse(path, here, string(text))
}

func (c *config) section(name string, create bool) *section {
	for _, s := range c.sections {
		if s.name == name {
			return s
		}
	}
	if !create {
		return nil
	}
	s := &section{name: name}
	if kind, title, ok := strings.Cut(name, ":"); ok {
		s.kind, s.title = kind, strings.TrimSpace(title)
	}
	c.sections = append(c.sections, s)
	return s
}

// parse reads INI as Python's configparser does for Supervisor: a line that is
// indented deeper than its key continues the value, and " ;" or " #" begins a
// comment.
func (c *config) parse(path, here, text string) error {
	var in *section
	key, value, depth := "", "", 0
	flush := func() {
		if in != nil && key != "" {
			here := strings.ReplaceAll(here, "%", "%%")
			in.set(key, strings.ReplaceAll(strings.TrimSpace(value), "%(here)s", here))
		}
		key, value = "", ""
	}
	for n, raw := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		content := strings.TrimSpace(raw)
		if content == "" || content[0] == ';' || content[0] == '#' {
			continue
		}
		content = strings.TrimSpace(withoutComment(content))
		indent := len(raw) - len(strings.TrimLeft(raw, " \t"))
		if key != "" && indent > depth {
			value += "\n" + content
			continue
		}
		flush()
		if strings.HasPrefix(content, "[") && strings.HasSuffix(content, "]") {
			name := content[1 : len(content)-1]
			if name == "include" && len(c.files) > 1 {
				name = "include:" + filepath.Base(path)
			}
			in = c.section(name, true)
			continue
		}
		at := strings.IndexAny(content, "=:")
		switch {
		case in == nil:
			return fmt.Errorf("%s:%d: a key before the first section", path, n+1)
		case at <= 0:
			return fmt.Errorf("%s:%d: neither a section nor key=value", path, n+1)
		}
		key, value, depth = strings.ToLower(strings.TrimSpace(content[:at])), content[at+1:], indent
	}
	flush()
	return nil
}

// withoutComment cuts a comment off the end of a line.
func withoutComment(content string) string {
	for i := 1; i < len(content); i++ {
		if (content[i] == ';' || content[i] == '#') && (content[i-1] == ' ' || content[i-1] == '\t') {
			return content[:i]
		}
	}
	return content
}

// splitList takes a list apart that has commas, spaces or lines between.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}
