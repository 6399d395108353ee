package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/natural"
	"taskmaster/lib/proto"
	"taskmaster/lib/statedir"
)

// An instance is one line of the answer to `status`.
type instance struct {
	name     string
	state    string // in capitals
	pid      int    // 0 when it is not running
	uptime   string // seconds, "0" when it is not running
	restarts int
	detail   string
}

// parseInstance reads
//
//	TIME NAME STATE pid=N uptime=SECS restarts=N detail=TEXT
func parseInstance(text string) (instance, error) {
	e, err := event.Parse(text)
	if err != nil {
		return instance{}, proto.ErrProtocol
	}
	i := instance{
		name:     e.Name,
		state:    strings.ToUpper(e.Kind),
		pid:      e.Int("pid"),
		uptime:   seconds(e.Get("uptime")),
		restarts: e.Int("restarts"),
		detail:   e.Get("detail"),
	}
	return i, nil
}

// seconds writes a number of seconds in its one form, "0" for what is none.
func seconds(text string) string {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value >= 0 && value < 1e12) {
		return "0"
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// up says whether an instance is as it is wished to be (exit code 3 of
// `status` otherwise).
func (i *instance) up() bool { return i.state == statedir.Running || i.state == statedir.Starting }

// program is the instance's name without its number.
func (i *instance) program() string {
	program, _, _ := strings.Cut(i.name, ":")
	return program
}

// instances asks the daemon for the status of targets, all when there are
// none, in natural order. All of them are what completion offers while the
// daemon is too busy to be asked.
func (s *session) instances(targets []string) ([]instance, error) {
	var all []instance
	var wrong error
	err := s.do(func(r proto.Reply) {
		if r.Kind != proto.KindAnswer {
			return
		}
		i, err := parseInstance(r.Text)
		if err != nil {
			wrong = err
			return
		}
		all = append(all, i)
	}, append([]string{"status"}, targets...)...)
	if err == nil {
		err = wrong
	}
	slices.SortFunc(all, func(a, b instance) int { return natural.Compare(a.name, b.name) })
	if err == nil && len(targets) == 0 {
		s.instanceNames = all
	}
	return all, err
}

// uptimeWords writes seconds for people, in two units: 4s, 3m07s, 5h02m,
// 12d03h.
func uptimeWords(seconds string) string {
	value, err := strconv.ParseFloat(seconds, 64)
	if err != nil || !(value >= 0 && value < 1e10) {
		return "-"
	}
	d := time.Duration(value) * time.Second
	days, hours := int(d.Hours())/24, int(d.Hours())%24
	minutes, secs := int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%02dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%02dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%02ds", minutes, secs)
	}
	return fmt.Sprintf("%ds", secs)
}
