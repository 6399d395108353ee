// Package supervisord turns a configuration of Supervisor into a
// taskmaster.yaml(5) that does the same.
//
// The way is: the INI files as Supervisor reads them, includes and all
// (ini.go); then each section by a table that says for every key of
// Supervisor 4 what becomes of it (daemon.go, program.go, output.go); what has no
// counterpart stays as a comment with the reason, so that nothing is dropped
// silently. The result is text, made for a person to read and to keep
// (writer.go). tm-supervisor(7) has the tables.
package supervisord

import (
	"fmt"
	"strings"
)

// Import reads the configuration of Supervisor at path, with what it
// includes, and returns a taskmaster.yaml. The error is that of opening a
// file, or "FILE:LINE: what is wrong" for what Supervisor would refuse too.
func Import(path string) ([]byte, error) {
	conf, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	return translate(conf, path), nil
}

func translate(conf *config, path string) []byte {
	t := &translation{conf: conf, logs: map[string]string{}, names: map[string]bool{}}
	t.settings()
	t.programs()
	return t.text(path)
}

// A translation is one configuration on its way.
type translation struct {
	conf       *config
	daemonKeys block // the taskmaster: map
	defaults   block
	progs      []*block // in the order of the file
	rest       []string // comments on sections that became nothing

	mails     bool              // daemonKeys has a mail: map
	lostLogs  bool              // some AUTO log has no place
	eventLog  string            // path of the event log, "" for the default
	childLogs string            // directory for AUTO logs, "" when there is none
	env       map[string]string // of [supervisord], for %(ENV_X)s
	logs      map[string]string // log map by path, since one file has one map
	names     map[string]bool   // taken names, in lower case
}

// settings translates every section that is about the daemon itself.
func (t *translation) settings() {
	for _, s := range t.conf.sections {
		switch {
		case s.name == "supervisord":
			t.daemon(s)
		case s.name == "unix_http_server" || s.name == "inet_http_server":
			t.server(s)
		case s.name == "include":
			t.daemonKeys.comment("[include] files=%s: read, its programs stand below", s.get("files"))
			for _, pattern := range t.conf.missed {
				t.daemonKeys.comment("[include] no file matches %s", pattern)
			}
		case s.kind == "include":
			t.dropped(s, "Supervisor does not read what an included file includes")
		case s.kind == "eventlistener":
			t.listener(s)
		case s.kind == "fcgi-program":
			t.dropped(s, "no socket is opened for FastCGI: let the program open its own, or use spawn-fcgi as cmd")
		case s.name == "supervisorctl":
			t.dropped(s, "tmctl finds tmd by the state directory and needs none of it")
		case s.kind == "rpcinterface" || s.kind == "ctlplugin":
			t.dropped(s, "no plugins: the protocol is lines of text, tm-protocol(7)")
		case s.kind == "program" || s.kind == "group":
		default:
			t.dropped(s, "not a section of Supervisor 4")
		}
	}
}

// programs translates the programs, each with what its group says.
func (t *translation) programs() {
	groups := map[string]*section{} // by program
	for _, s := range t.conf.sections {
		if s.kind != "group" {
			continue
		}
		members := splitList(s.get("programs"))
		for _, name := range members {
			groups[name] = s
		}
		t.rest = append(t.rest, oneLine(fmt.Sprintf("[group:%s] programs=%s: there are no groups: commands take several names or a pattern",
			s.title, strings.Join(members, ","))))
	}
	for _, s := range t.conf.sections {
		if s.kind == "program" {
			t.program(s, groups[s.title])
		}
	}
}

// dropped keeps a section as a comment.
func (t *translation) dropped(s *section, reason string) {
	t.rest = append(t.rest, oneLine(fmt.Sprintf("[%s]: %s", s.name, reason)))
	for _, o := range s.options {
		t.rest = append(t.rest, "  "+oneLine(o.shown()))
	}
}

// text is the whole file.
func (t *translation) text(path string) []byte {
	var w writer
	w.line("# Made by `tmd -import %s`.", oneLine(path))
	w.line("# What has no counterpart is kept as a comment with the reason; tm-supervisor(7)")
	w.line("# tells what differs. Here a stop ends all descendants of a program: where")
	w.line("# Supervisor let them live on purpose, add `stopgroup: process`.")
	if t.lostLogs {
		w.line("# Output that Supervisor kept in temporary files, logfile AUTO, is discarded here:")
		w.line("# name a path, as in `stdout: {file: /var/log/NAME.log}`, to keep it.")
	}
	w.block("taskmaster", &t.daemonKeys)
	w.block("defaults", &t.defaults)
	w.line("")
	if len(t.progs) == 0 {
		w.line("programs: {}")
	} else {
		w.line("programs:")
	}
	for i, p := range t.progs {
		if i > 0 {
			w.line("")
		}
		w.program(p)
	}
	if len(t.rest) > 0 {
		w.line("")
	}
	for _, text := range t.rest {
		w.line("# %s", text)
	}
	return w.bytes()
}
