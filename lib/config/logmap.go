package config

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
)

// logFields are the keys of a log map, in the order of taskmaster.yaml(5).
var logFields = []string{"file", "maxbytes", "backups", "maxage", "maxtotal", "timestamp", "prefix", "select", "compress", "onfull"}

// defaultLog is what a log map says that names a file only.
var defaultLog = Log{MaxBytes: 10 << 20, Backups: 5, Timestamp: "none", OnFull: "block"}

// maxBackups bounds what one rotation has to rename.
const maxBackups = 10000

// logMap reads a log map over its defaults, and returns its path as it is
// shown beside the whole.
func (s *scope) logMap(v value, defaults Log) (written string, log *Log) {
	log = new(Log)
	*log = defaults
	fields := s.fields(v, logFields...)
	if file, ok := fields["file"]; ok {
		if path := s.expandPath(file); path != "" {
			log.File, written = s.absolute(path), showPath(path)
		}
	} else if v.isMap() {
		s.bad(v, "no file: a log map needs the path of its log")
	}
	for name, field := range fields {
		s.logField(log, name, field)
	}
	return written, log
}

func (s *scope) logField(log *Log, name string, v value) {
	switch name {
	case "maxbytes":
		log.MaxBytes = s.size(v)
	case "backups":
		log.Backups = s.integer(v, 0, maxBackups)
	case "maxage":
		log.MaxAge = s.duration(v, 0)
	case "maxtotal":
		log.MaxTotal = s.size(v)
	case "timestamp":
		log.Timestamp = s.choice(v, "none", "rfc3339", "tai64n")
	case "prefix":
		log.Prefix = s.prefix(v)
	case "select":
		log.Select = s.selection(v)
	case "compress":
		log.Compress = s.expandWord(v) // for a shell, which knows best what it takes
	case "onfull":
		log.OnFull = s.choice(v, "block", "drop", "prune")
	}
}

func (s *scope) prefix(v value) string {
	text := s.expandText(v)
	if strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) >= 0 {
		s.bad(v, "%s holds a control character", quoted(text))
	}
	return text
}

// selection reads the patterns of select, each "-RE" to drop or "+RE" to keep
// again what it matches.
func (s *scope) selection(v value) []string {
	var patterns []string
	for _, item := range s.list(v) {
		text := s.word(item)
		if text == "" {
			continue
		}
		if text[0] != '-' && text[0] != '+' {
			s.bad(item, "%s begins with neither - (drop) nor + (keep)", quoted(text))
		} else if wrong := patternError(text[1:]); wrong != nil {
			s.bad(item, "%s: %s", quoted(wrong.Expr), wrong.Code)
		}
		s.spend(len(text))
		patterns = append(patterns, text)
	}
	return patterns
}

// patternError returns what is wrong with a pattern of tmlog(8), nil when
// nothing is.
func patternError(pattern string) *syntax.Error {
	var wrong *syntax.Error
	_, err := regexp.Compile(pattern)
	errors.As(err, &wrong)
	return wrong
}

// rawPrefix is the prefix of the log map v before its expansion.
func rawPrefix(v value) string {
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == "prefix" {
			return v.child(v.node.Content[i+1], "").node.Value
		}
	}
	return ""
}

// logTexts gives the values of a log map in canonical text, in the order of
// logFields, of which it leaves out the file.
func logTexts(log *Log) []string {
	patterns := make([]string, len(log.Select))
	for i, p := range log.Select {
		patterns[i] = quoteWord(p)
	}
	return []string{
		formatSize(log.MaxBytes), strconv.Itoa(log.Backups), formatDuration(log.MaxAge), formatSize(log.MaxTotal),
		log.Timestamp, quoteWord(log.Prefix), bracketed(patterns...), quoteWord(log.Compress), log.OnFull,
	}
}

// logKeys are what Keys says of a log map besides its path: "stdout.maxbytes"
// and so on. None of them restarts the program.
func logKeys(in *Instance, name string, of Key) []Key {
	var log *Log
	switch name {
	case "stdout":
		log = in.Stdout.Log
	case "stderr":
		log = in.Stderr.Log
	}
	if log == nil {
		return nil
	}
	keys := make([]Key, 0, len(logFields)-1)
	for i, text := range logTexts(log) {
		keys = append(keys, Key{Name: name + "." + logFields[i+1], Value: text, Line: of.Line, File: of.File})
	}
	return keys
}
