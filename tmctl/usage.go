package main

import (
	"fmt"
	"strconv"
	"strings"

	"taskmaster/lib/line"
	"taskmaster/lib/proto"
)

var usageCommand = command{
	name:  "usage",
	args:  "[TARGET ...]",
	about: "print CPU and memory of each instance and its descendants, for scripts",
	detail: `Tab-separated: name, state, pid, uptime in seconds, restarts, CPU seconds used,
bytes of memory; - for none. It is computed when asked.`,
	operands: []operand{anyTarget},
	max:      -1,
	run:      runUsage,
}

// A usageRow is one line of the answer to `usage`:
//
//	NAME STATE PID UPTIME RESTARTS CPUSECONDS BYTES
type usageRow struct {
	name, state string // the state in capitals
	pid         string // "0" when it is not running
	seconds     string // uptime as the daemon wrote it
	uptime      float64
	restarts    int
	cpu         float64 // seconds of processor time used
	bytes       int64   // memory of it and all its descendants
}

// parseUsage reads one line; false when it is none.
func parseUsage(text string) (usageRow, bool) {
	words, err := line.Words(text)
	if err != nil || len(words) < 7 {
		return usageRow{}, false
	}
	row := usageRow{name: words[0], state: strings.ToUpper(words[1]), pid: words[2], seconds: seconds(words[3])}
	row.uptime, _ = strconv.ParseFloat(row.seconds, 64)
	row.restarts, _ = strconv.Atoi(words[4])
	row.cpu, _ = strconv.ParseFloat(seconds(words[5]), 64)
	row.bytes, _ = strconv.ParseInt(words[6], 10, 64)
	return row, true
}

func runUsage(s *session, c *call) error {
	return s.do(func(r proto.Reply) {
		row, ok := parseUsage(r.Text)
		if !ok {
			return
		}
		pid, uptime := escape(row.pid), row.seconds
		if pid == "0" {
			pid, uptime = "-", "-"
		}
		fmt.Fprintf(s.out, "%s\t%s\t%s\t%s\t%d\t%s\t%d\n", escape(row.name), escape(row.state), pid, uptime,
			row.restarts, strconv.FormatFloat(row.cpu, 'f', -1, 64), row.bytes)
	}, c.words...)
}
