package supervisord

import (
	"regexp"
	"strings"
)

// daemonReasons say why a key of [supervisord] has no counterpart.
var daemonReasons = map[string]string{
	"loglevel":   "there are no levels: every event is logged, tm-event(5)",
	"pidfile":    "STATE/lock holds the process id; `tmctl pid` prints it",
	"nodaemon":   "tmd always stays in the foreground",
	"silent":     "tmd writes to its standard error only what is wrong",
	"minfds":     "tmd takes as many as it may; programs get the limit that tmd was started with, or `limits: {nofile: N}`",
	"minprocs":   "tmd warns at its start when a limit is too low for this file",
	"nocleanup":  "log files are never removed at a start",
	"user":       "start tmd as that user, or give each program its `user`",
	"strip_ansi": "output is written as it comes; tmctl shows it escaped on a terminal",
	"identifier": "tmd has no name of its own",
}

// daemon translates [supervisord].
func (t *translation) daemon(s *section) {
	var size, backups string
	for _, o := range s.options {
		switch o.key {
		case "logfile", "childlogdir":
		case "logfile_maxbytes":
			size = o.value
		case "logfile_backups":
			backups = o.value
		case "umask":
			p := &program{translation: t}
			p.umask(o.value)
			t.defaults.lines = append(t.defaults.lines, p.lines...)
		case "directory":
			t.defaults.key("workingdir", scalar(home(o.value)))
		case "environment":
			t.daemonEnvironment(o.value)
		default:
			reason, known := daemonReasons[o.key]
			if !known {
				reason = "no key of Supervisor 4, which ignores it silently"
			}
			t.daemonKeys.comment("[supervisord] %s: %s", o.shown(), reason)
		}
	}
	t.childLogs = strings.TrimSuffix(s.get("childlogdir"), "/")
	t.daemonLog(home(s.get("logfile")), size, backups)
}

// daemonLog makes the event log be where supervisord's log was.
func (t *translation) daemonLog(file, size, backups string) {
	switch strings.ToLower(file) {
	case "":
		return
	case "none", "off", "syslog", "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2":
		t.daemonKeys.comment("[supervisord] logfile=%s: the event log is always a file, by default STATE/taskmaster.log; `tmctl log -f` follows it", file)
		return
	}
	size = t.daemonKeys.checked("[supervisord] logfile_maxbytes", size, sizeForm, defaultMaxBytes)
	backups = t.daemonKeys.checked("[supervisord] logfile_backups", backups, countForm, defaultBackups)
	value := "{file: " + scalar(file) + ", maxbytes: " + size + ", backups: " + backups + "}"
	t.daemonKeys.key("log", value)
	t.eventLog = file
}

func (t *translation) daemonEnvironment(value string) {
	pairs, err := parseEnvironment(value)
	if err != nil {
		t.daemonKeys.comment("[supervisord] environment=%s: %s", value, err)
		return
	}
	t.env = map[string]string{}
	for _, pair := range pairs {
		t.env[pair[0]] = pair[1]
	}
	t.defaults.key("env", environmentMap(pairs))
}

// server explains what became of the two ways to reach supervisord.
func (t *translation) server(s *section) {
	for _, o := range s.options {
		reason := "tmctl talks to tmd over TCP on loopback; `listen` names another address"
		switch o.key {
		case "chmod", "chown", "username", "password":
			reason = "a client proves to know the secret in STATE/secret, which only the user of tmd can read"
		}
		t.daemonKeys.comment("[%s] %s: %s", s.name, o.shown(), reason)
	}
}

// mailTo finds the address in the command of one of superlance's mailers.
var mailTo = regexp.MustCompile(`(?:^|\s)(?:-m|-t|--toEmail)[ =]\s*['"]?([^\s'"]+@[^\s'"]+)`)

// listener turns a mailer into `mail:` and explains that others have to
// follow `tmctl watch`.
func (t *translation) listener(s *section) {
	command := s.get("command")
	to := mailTo.FindStringSubmatch(command)
	program, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	program = program[strings.LastIndexByte(program, '/')+1:]
	switch program {
	case "crashmail", "crashmailbatch", "fatalmailbatch":
		if to != nil && !t.mails {
			t.mails = true
			t.daemonKeys.key("mail", "{to: "+list(strings.Split(to[1], ","))+"}")
			t.daemonKeys.comment("that was [%s] command=%s", s.name, command)
			return
		}
	}
	t.dropped(s, "no listener protocol: a program of its own can read `tmctl watch EVENT ...`, and `mail:` and `check:` do what superlance did")
}
