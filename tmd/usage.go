package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/line"
	"taskmaster/lib/procfs"
	"taskmaster/lib/proto"
)

// A usageRow is what `usage` tells of one instance.
type usageRow struct {
	name, state string
	pid         int
	uptime      time.Duration
	restarts    int
	cpu         time.Duration // of the whole tree as it lives now
	bytes       int64         // resident, of the whole tree
}

func rowsOf(list []*instance) []usageRow {
	rows := make([]usageRow, len(list))
	for i, in := range list {
		in = in.holder()
		rows[i] = usageRow{name: in.name, state: in.state(), pid: in.status.PID, uptime: in.uptime(), restarts: in.status.Restarts}
	}
	return rows
}

// measure adds up processor time and memory of each program and all below
// it, from one walk of /proc.
func measure(rows []usageRow) {
	stats := procfs.Stats()
	below := map[int][]int{}
	for pid, s := range stats {
		below[s.PPID] = append(below[s.PPID], pid)
	}
	for i := range rows {
		if rows[i].pid != 0 {
			rows[i].add(rows[i].pid, stats, below)
		}
	}
}

func (r *usageRow) add(pid int, stats map[int]procfs.Stat, below map[int][]int) {
	s, alive := stats[pid]
	if !alive {
		return
	}
	delete(stats, pid) // a loop in what /proc showed at different moments ends here
	r.cpu += time.Duration(s.User+s.System) * (time.Second / procfs.TicksPerSecond)
	r.bytes += s.RSS * int64(os.Getpagesize())
	for _, child := range below[pid] {
		r.add(child, stats, below)
	}
}

func doUsage(d *daemon, r *proto.Request) {
	var rows []usageRow
	if !withTargets(d, r, "", 0, func(_ proto.Options, list []*instance) { rows = rowsOf(list) }) {
		return
	}
	measure(rows)
	for _, row := range rows {
		r.Answer(line.Join(row.name, strings.ToLower(row.state), itoa(row.pid), event.Seconds(row.uptime),
			itoa(row.restarts), event.Seconds(row.cpu), strconv.FormatInt(row.bytes, 10)))
	}
	r.OK(itoa(len(rows)))
}
