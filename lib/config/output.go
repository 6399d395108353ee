package config

import (
	"fmt"
	"slices"
	"strings"

	"taskmaster/lib/nearest"
)

// outputWords are the values of stdout and stderr that are no paths.
var outputWords = []string{"discard", "inherit", "stdout"}

func (b *builder) readStdout(v value) string {
	text, out := b.output(v)
	if out.Kind == "stdout" {
		b.bad(v, "stdout cannot be joined with itself: for a file of that name write ./stdout")
	}
	b.in.Stdout = out
	return text
}

func (b *builder) readStderr(v value) string {
	text, out := b.output(v)
	b.in.Stderr = out
	return text
}

// output reads where stdout or stderr goes. Of a log map the text is its path
// only: what else it says is the tmlog's affair, and in Keys of its own.
func (b *builder) output(v value) (string, Output) {
	if v.isMap() {
		written, log := b.logMap(v, defaultLog)
		if log.File != "" && !b.trial {
			b.claimLog(v, log)
		}
		return braced("file: " + written), Output{Kind: "log", Path: log.File, Log: log}
	}
	text := b.expandPath(v)
	if slices.Contains(outputWords, text) {
		return text, Output{Kind: text}
	}
	if b.checkPath(v, text); text == "" {
		return "", Output{}
	}
	path := b.absolute(text)
	if !b.trial {
		b.claimFile(v, path)
	}
	return showPath(text), Output{Kind: "file", Path: path}
}

// checkPath reports a path that cannot be one, or that is more likely one of
// outputWords mistyped.
func (b *builder) checkPath(v value, text string) {
	switch {
	case strings.HasSuffix(text, "/"):
		b.bad(v, "%s is a directory: name a file in it", quoted(text))
	case text == "none" || text == "stderr" || !strings.Contains(text, "/") && nearest.Of(text, outputWords) != "":
		b.bad(v, "%s is none of %s%s; for a file of that name write %s", quoted(text),
			strings.Join(outputWords, ", "), b.didYouMean(text, outputWords), quoted("./"+text))
	}
}

// A claim is the first use of an output's path.
type claim struct {
	by  value
	log string // the log map in canonical text, "" for a plain path
}

// claimLog reports a log map for a path that has another: one tmlog writes
// each path, and it can obey one map only.
func (l *loader) claimLog(v value, log *Log) {
	text := strings.Join(logTexts(log), ", ")
	first, taken := l.claims[log.File]
	switch {
	case !taken:
		l.claims[log.File] = claim{v, text}
		l.spend(len(log.File) + len(text))
	case first.log == "":
		l.bad(v, "%s is written straight by %s: a log map cannot share it", quoted(log.File), first.by.place())
	case first.log != text && namesInstance(rawPrefix(v)):
		l.bad(v, "the prefix names the instance, so each instance needs a file: put %%(process_num)d or %%(name)s into file as well")
	case first.log != text:
		l.bad(v, "%s has another log map, %s: one file, one map", quoted(log.File), first.by.place())
	}
}

// claimFile reports a plain path that a tmlog writes already.
func (l *loader) claimFile(v value, path string) {
	first, taken := l.claims[path]
	if !taken {
		l.claims[path] = claim{by: v}
		l.spend(len(path))
	} else if first.log != "" {
		l.bad(v, "%s belongs to a log map, %s: give the same map here", quoted(path), first.by.place())
	}
}

// place names where v stands, for a message about another place.
func (v value) place() string {
	return fmt.Sprintf("%s of %s:%d", v.key, printable(v.src.path), v.node.Line)
}
