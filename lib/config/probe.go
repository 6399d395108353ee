package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The ways to tell that a program is up. The first two are the program's own
// word, and so no health check.
var (
	readyKinds = []string{"notify", "sd_notify", "tcp", "http", "cmd"}
	checkKinds = []string{"tcp", "http", "cmd"}
)

// The descriptors on which a program can say that it is ready: beyond the
// three that each has, and below the usual soft limit on open files (1024).
const (
	minNotifyFD = 3
	maxNotifyFD = 1023
)

// minInterval keeps probes from being a load of their own.
const minInterval = 10 * time.Millisecond

func (b *builder) readReady(v value) string {
	if v.isNull() {
		return "none"
	}
	fields := b.fields(v, append(slices.Clone(readyKinds), "status", "timeout", "interval")...)
	p := &Probe{Timeout: time.Minute, Interval: 250 * time.Millisecond}
	b.in.Ready = p
	return braced(b.probe(v, p, fields, readyKinds)...)
}

func (b *builder) readCheck(v value) string {
	if v.isNull() {
		return "none"
	}
	fields := b.fields(v, append(slices.Clone(checkKinds), "status", "timeout", "interval", "failures", "action")...)
	c := &Check{Probe: Probe{Timeout: 2 * time.Second, Interval: 10 * time.Second}, Failures: 3, Action: "restart"}
	b.in.Check = c
	if failures, ok := fields["failures"]; ok {
		c.Failures = b.integer(failures, 1, 1_000_000)
	}
	if action, ok := fields["action"]; ok {
		c.Action = b.choice(action, "restart", "report")
	}
	shown := b.probe(v, &c.Probe, fields, checkKinds)
	return braced(append(shown, "failures: "+strconv.Itoa(c.Failures), "action: "+c.Action)...)
}

// probe reads the one probe in fields, and how often and how long it is
// tried. It returns them in canonical text.
func (b *builder) probe(v value, p *Probe, fields map[string]value, kinds []string) []string {
	var given []string
	for _, kind := range kinds {
		if _, ok := fields[kind]; ok {
			given = append(given, kind)
		}
	}
	switch {
	case len(given) > 1:
		b.bad(v, "two probes in one place, %s: give one", strings.Join(given, " and "))
		return nil
	case len(given) == 0 && v.isMap():
		b.bad(v, "no probe: give one of %s", strings.Join(kinds, ", "))
	}
	if len(given) == 0 {
		return nil
	}
	p.Kind = given[0]
	shown := []string{p.Kind + ": " + b.target(p, fields[p.Kind])}
	if p.Kind == "http" {
		b.status(p, fields)
		shown = append(shown, "status: "+formatStatus(p.StatusLo, p.StatusHi))
	} else if status, ok := fields["status"]; ok {
		b.bad(status, "only http has a status")
	}
	if timeout, ok := fields["timeout"]; ok {
		p.Timeout = b.duration(timeout, minInterval)
	}
	if interval, ok := fields["interval"]; ok {
		p.Interval = b.duration(interval, minInterval)
	}
	return append(shown, "timeout: "+formatDuration(p.Timeout), "interval: "+formatDuration(p.Interval))
}

// target reads what is probed, and returns it in canonical text.
func (b *builder) target(p *Probe, v value) string {
	switch p.Kind {
	case "notify":
		p.FD = b.integer(v, minNotifyFD, maxNotifyFD)
		return strconv.Itoa(p.FD)
	case "sd_notify":
		if on, _ := booleanOf(v); !on {
			b.bad(v, "expected true, got %s; without readiness leave ready out", v.kind())
		}
		return "true"
	case "cmd":
		p.Cmd = b.words(v)
		return quoteWords(p.Cmd)
	case "tcp":
		p.Target = b.expandWord(v)
		b.checkAddress(v, p.Target, 1)
	case "http":
		p.Target = b.expandWord(v)
		if problem := checkURL(p.Target); p.Target != "" && problem != "" {
			b.bad(v, "%s: %s", quoted(p.Target), problem)
		}
	}
	return quoteWord(p.Target)
}

// checkURL returns what keeps text from being probed by an HTTP GET.
func checkURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "not a URL, like http://127.0.0.1:8080/health"
	}
	switch {
	case u.Scheme != "http":
		return "only http:// is probed: for anything else use cmd"
	case u.User != nil:
		return "a user in the URL is not sent: use cmd"
	case u.Hostname() == "":
		return "no host in the URL"
	}
	address := u.Host
	if u.Port() == "" {
		address = strings.TrimSuffix(u.Host, ":") + ":80"
	}
	_, _, problem := splitAddress(address, 1)
	return problem
}

// status reads which answers of HTTP count as well: 200, or 200-399.
func (b *builder) status(p *Probe, fields map[string]value) {
	p.StatusLo, p.StatusHi = 200, 399
	v, ok := fields["status"]
	if !ok {
		return
	}
	text := b.expandWord(v)
	lo, hi, isRange := strings.Cut(text, "-")
	if !isRange {
		hi = lo
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(lo))
	to, err2 := strconv.Atoi(strings.TrimSpace(hi))
	if text != "" && (err1 != nil || err2 != nil || from < 100 || to > 599 || from > to) {
		b.bad(v, "%s is no status from 100 to 599, and no range like 200-399", quoted(text))
		return
	}
	p.StatusLo, p.StatusHi = from, to
}

func formatStatus(lo, hi int) string {
	if lo == hi {
		return strconv.Itoa(lo)
	}
	return fmt.Sprintf("%d-%d", lo, hi)
}

func (b *builder) readWatchdog(v value) string {
	b.in.Watchdog = b.duration(v, 0)
	if b.in.Watchdog == 0 {
		return "none"
	}
	return formatDuration(b.in.Watchdog)
}
