package supervisord

import (
	"os"
	"regexp"
	"strings"
)

// The defaults of Supervisor for a log file.
const (
	defaultMaxBytes = "50MB"
	defaultBackups  = "10"
)

// output translates all keys about stdout and stderr together.
func (p *program) output() {
	joined := isTrue(p.section.get("redirect_stderr"))
	out := p.stream("stdout")
	p.key("stdout", out)
	if joined {
		p.key("stderr", "stdout")
		if file, ok := p.section.lookup("stderr_logfile"); ok && !isOff(file) {
			p.comment("stderr_logfile=%s: without effect, since redirect_stderr is on", file)
		}
		return
	}
	err := p.stream("stderr")
	if strings.HasPrefix(err, "{") && logPath(err) == logPath(out) {
		err = "stdout"
	}
	p.key("stderr", err)
}

// logPath is the beginning of a log map, up to the end of its path.
func logPath(value string) string {
	path, _, _ := strings.Cut(value, ", maxbytes: ")
	return path
}

// stream returns the value for one of stdout and stderr.
func (p *program) stream(name string) string {
	file, given := p.section.lookup(name + "_logfile")
	if !given {
		file = "AUTO"
	}
	switch strings.ToLower(file) {
	case "auto":
		return p.automatic(name)
	case "none", "off", "", "/dev/null":
		return "discard"
	case "syslog":
		p.syslog("true")
		return "discard"
	case "/dev/stdout", "/dev/fd/1":
		if name == "stderr" {
			p.comment("stderr_logfile=%s: tmd's standard error instead", file)
		}
		return "inherit"
	case "/dev/stderr", "/dev/fd/2":
		if name == "stdout" {
			p.comment("stdout_logfile=%s: tmd's standard output instead", file)
		}
		return "inherit"
	}
	return p.file(name, p.home(p.expanded(file)))
}

// home replaces a leading ~, which Supervisor heeds in paths of its own and of
// logs, and nowhere else.
func home(path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		return "%(ENV_HOME)s" + path[1:]
	}
	return path
}

// home is that of supervisord also where the program has another HOME.
func (p *program) home(path string) string {
	if _, set := p.variable("HOME"); set && home(path) != path {
		return strings.ReplaceAll(os.Getenv("HOME"), "%", "%%") + path[1:]
	}
	return home(path)
}

// automatic is AUTO: a file that Supervisor makes in childlogdir and removes
// at its next start.
func (p *program) automatic(name string) string {
	if p.childLogs == "" {
		p.lostLogs = true
		return "discard"
	}
	file := p.childLogs + "/%(program_name)s-%(process_num)d-" + name + ".log"
	return p.file(name, p.home(file))
}

// file returns a log map, or the path alone when it is not rotated.
func (p *program) file(name, path string) string {
	if path == p.eventLog {
		p.comment("%s_logfile=%s: that is the event log now", name, path)
		path += ".output"
	}
	size, backups := p.rotation(name)
	value := scalar(path)
	if !strings.Contains(path, "/") {
		value = scalar("./" + path)
	}
	rotated := "{file: " + value + ", maxbytes: " + size + ", backups: " + backups + "}"
	if size == "0" {
		rotated = value
	}
	key := strings.ReplaceAll(path, "%(program_name)s", p.block.name)
	if first, taken := p.logs[key]; taken {
		if first != rotated {
			p.comment("%s_logfile: %s is rotated as it is where it was named first", name, path)
		}
		return first
	}
	p.logs[key] = rotated
	return rotated
}

func (p *program) rotation(name string) (size, backups string) {
	key := name + "_logfile_"
	size = p.checked(key+"maxbytes", p.section.get(key+"maxbytes"), sizeForm, defaultMaxBytes)
	backups = p.checked(key+"backups", p.section.get(key+"backups"), countForm, defaultBackups)
	if backups == "0" && size != "0" {
		p.comment("%sbackups=0: a full file is begun anew and its lines are lost, as with Supervisor", key)
	}
	return size, backups
}

var (
	sizeForm  = regexp.MustCompile(`^[0-9]+([KMG]B)?$`)
	countForm = regexp.MustCompile(`^[0-9]+$`)
)

// checked returns a value in upper case, or its default when there is none or
// it has another form.
func (b *block) checked(key, value string, form *regexp.Regexp, byDefault string) string {
	value = strings.ToUpper(strings.TrimSpace(value))
	switch {
	case value == "":
		return byDefault
	case !form.MatchString(value):
		b.comment("%s=%s: no such value, so this is the default", key, value)
		return byDefault
	}
	return value
}
