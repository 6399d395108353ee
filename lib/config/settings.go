package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// settingsFields are the keys under `taskmaster:`.
var settingsFields = []string{"listen", "state", "secret", "readonly_secret", "auth", "log", "mail", "include"}

// DefaultListen is where tmd listens unless told otherwise.
const DefaultListen = "127.0.0.1:4242"

// fileSettings is the `taskmaster:` map; include is for the loader only.
type fileSettings struct {
	Settings
	include []value
}

// readSettings reads the `taskmaster:` map, which may be missing.
func (l *loader) readSettings(v value) fileSettings {
	set := fileSettings{Settings: Settings{Listen: DefaultListen, Auth: "secret"}}
	if v.node == nil || v.isNull() {
		return set
	}
	s := &scope{loader: l}
	fields := map[string]value{}
	for _, f := range l.settings(v) {
		if !slices.Contains(settingsFields, f.name) {
			l.mistakeAt(f.value, f.at, "unknown key "+quoted(f.name)+l.settingsHint(f.name))
			continue
		}
		fields[f.name] = f.value
	}
	for name, field := range fields {
		s.setting(&set, name, field)
	}
	s.checkAuth(set.Settings, fields)
	return set
}

func (s *scope) setting(set *fileSettings, name string, v value) {
	switch name {
	case "listen":
		set.Listen = s.listen(v)
	case "state":
		set.State = s.expandPath(v)
	case "secret":
		set.Secret = s.expandPath(v)
	case "readonly_secret":
		set.ReadonlySecret = s.expandPath(v)
	case "auth":
		set.Auth = s.choice(v, "secret", "none")
	case "log":
		set.Log = s.eventLog(v)
	case "mail":
		set.Mail = s.mail(v)
	case "include":
		if !v.isNull() {
			set.include = s.list(v)
		}
	}
}

func (l *loader) settingsHint(name string) string {
	if near := l.didYouMean(name, settingsFields); near != "" {
		return near
	}
	if isProgramKey(name) {
		return ": it belongs under programs: NAME: or defaults:"
	}
	return ": there are " + strings.Join(settingsFields, ", ")
}

// listen reads HOST:PORT. Port 0 picks a free one.
func (s *scope) listen(v value) string {
	address := s.expandWord(v)
	if !s.checkAddress(v, address, 0) {
		return DefaultListen
	}
	return address
}

// checkAddress reports what keeps address, the text of v, from being
// HOST:PORT. An empty text was reported before.
func (l *loader) checkAddress(v value, address string, least int) bool {
	if address == "" {
		return false
	}
	host, _, problem := splitAddress(address, least)
	if problem == "" && host == "" {
		problem = "no host before the port, like 127.0.0.1:8080"
	}
	if problem != "" {
		l.bad(v, "%s: %s", quoted(address), problem)
	}
	return problem == ""
}

// splitAddress takes HOST:PORT apart as net.SplitHostPort does, but wants the
// port to be a number, from least to 65535. It looks up nothing.
func splitAddress(address string, least int) (host string, port int, problem string) {
	at := strings.LastIndexByte(address, ':')
	if at < 0 {
		return "", 0, "expected HOST:PORT, like 127.0.0.1:8080"
	}
	host, text := address[:at], address[at+1:]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if ip, err := netip.ParseAddr(inner); !closed || err != nil || !ip.Is6() {
			return "", 0, "no IPv6 address in the brackets"
		}
		host = inner
	} else if strings.Contains(host, ":") {
		return "", 0, "an IPv6 address goes into brackets, like [::1]:PORT"
	} else if strings.ContainsFunc(host, func(r rune) bool { return !hostRune(r) }) {
		return "", 0, "no host name or address before the port"
	}
	if !decimal.MatchString(text) || text[0] == '+' {
		return "", 0, "the port is not a number"
	}
	if port, err := strconv.Atoi(text); err == nil && least <= port && port <= 65535 {
		return host, port, ""
	}
	return "", 0, "the port is not from " + strconv.Itoa(least) + " to 65535"
}

func hostRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_'
}

// Loopback reports whether only this host can reach HOST:PORT. A name other
// than localhost is not looked up and counts as reachable.
func Loopback(address string) bool {
	host, _, problem := splitAddress(address, 0)
	if problem != "" {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// checkAuth reports what is wrong between auth and the other keys.
func (s *scope) checkAuth(set Settings, fields map[string]value) {
	if set.ReadonlySecret != "" && s.absolute(set.ReadonlySecret) == s.absolute(set.Secret) {
		s.bad(fields["readonly_secret"], "the same file as secret, which allows all")
	}
	if set.Auth != "none" {
		return
	}
	auth := fields["auth"]
	if !Loopback(set.Listen) {
		s.bad(auth, "whoever reaches %s could run programs here: listen on 127.0.0.1, or use auth: secret", set.Listen)
		return
	}
	s.warnAt(auth, auth.node, "auth: every user of this host can now control tmd")
	if v, ok := fields["readonly_secret"]; ok {
		s.warnAt(v, v.node, "readonly_secret: without effect under auth: none")
	}
}

// DefaultEventLog is the default of `log:`, without its File; what would hold up
// tmd itself is not to be had.
var DefaultEventLog = Log{MaxBytes: 10 << 20, Backups: 5, Timestamp: "none", OnFull: "drop"}

// eventLog reads `log:`, a path or a log map.
func (s *scope) eventLog(v value) *Log {
	log := new(Log)
	*log = DefaultEventLog
	if v.isMap() {
		_, log = s.logMap(v, DefaultEventLog)
		if log.OnFull != "drop" {
			s.bad(v, "onfull: the event log must never hold up tmd: it is always drop")
		}
	} else if path := s.expandPath(v); path != "" {
		log.File = s.absolute(path)
	}
	if log.File != "" {
		s.claimLog(v, log)
	}
	return log
}
