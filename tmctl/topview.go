package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"taskmaster/lib/natural"
	"taskmaster/lib/statedir"
)

// sparkLength is how many looks a sparkline goes back.
const sparkLength = 8

// A topView is what top shows: the last look, and what changed since the one
// before.
type topView struct {
	last    look
	percent map[string]float64   // CPU of each instance; negative when not known yet
	sparks  map[string][]float64 // the last values of percent
	order   string               // the key of topOrders
	offset  int                  // the first row shown
	page    int                  // the rows that fit
	typed   string               // the beginning of a key
	ramp    []rune               // the levels of a sparkline
}

func newTopView() *topView {
	v := &topView{percent: map[string]float64{}, sparks: map[string][]float64{}, order: "n"}
	v.ramp = []rune("_.:-=+*#")
	if utf8Locale() {
		v.ramp = []rune("▁▂▃▄▅▆▇█")
	}
	return v
}

// utf8Locale says whether the terminal's character set is UTF-8 (locale(7)).
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// take makes l the look that is shown. One that failed leaves the rows of the
// one before.
func (v *topView) take(l look) {
	if l.err != nil {
		v.last.err = l.err
		return
	}
	before := map[string]usageRow{}
	for _, row := range v.last.rows {
		before[row.name] = row
	}
	percent, sparks := map[string]float64{}, map[string][]float64{}
	elapsed := l.at.Sub(v.last.at).Seconds()
	for _, row := range l.rows {
		percent[row.name] = -1
		old, known := before[row.name]
		if !known || old.pid != row.pid || row.pid == "0" || elapsed <= 0 {
			continue
		}
		percent[row.name] = max(100*(row.cpu-old.cpu)/elapsed, 0)
		spark := append(slices.Clone(v.sparks[row.name]), percent[row.name])
		sparks[row.name] = spark[max(0, len(spark)-sparkLength):]
	}
	v.last, v.percent, v.sparks = l, percent, sparks
}

// topOrders are the orders of the rows, by the key that chooses them.
var topOrders = map[string]func(v *topView, a, b usageRow) int{
	"n": func(v *topView, a, b usageRow) int { return 0 },
	"s": func(v *topView, a, b usageRow) int { return cmp.Compare(a.state, b.state) },
	"u": func(v *topView, a, b usageRow) int { return cmp.Compare(b.uptime, a.uptime) },
	"r": func(v *topView, a, b usageRow) int { return cmp.Compare(b.restarts, a.restarts) },
	"c": func(v *topView, a, b usageRow) int { return cmp.Compare(v.percent[b.name], v.percent[a.name]) },
	"m": func(v *topView, a, b usageRow) int { return cmp.Compare(b.bytes, a.bytes) },
}

// sorted returns the rows in the order chosen, equal ones by name.
func (v *topView) sorted() []usageRow {
	rows := slices.Clone(v.last.rows)
	slices.SortFunc(rows, func(a, b usageRow) int {
		if c := topOrders[v.order](v, a, b); c != 0 {
			return c
		}
		return natural.Compare(a.name, b.name)
	})
	return rows
}

// topFrame is the number of lines that are no rows: summary, header, keys.
const topFrame = 3

// draw returns the whole screen.
func (v *topView) draw(columns, lines int, s *session) string {
	rows := v.sorted()
	v.page = max(lines-topFrame, 1)
	v.offset = max(min(v.offset, len(rows)-v.page), 0)
	shown := rows[v.offset:min(v.offset+v.page, len(rows))]

	width := len("NAME")
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(escape(row.name)))
	}
	width = min(width, max(columns-topFixed, len("NAME")))

	var screen strings.Builder
	screen.WriteString("\x1b[H")
	put := func(text string) {
		screen.WriteString(text + "\x1b[K\r\n")
	}
	put(fit(v.summary(), columns))
	put(s.paint(bold, fit(fmt.Sprintf("%-*s %-8s %7s %6s %5s %6s %7s %s",
		width, "NAME", "STATE", "PID", "UPTIME", "RST", "CPU%", "MEM", "LAST"), columns)))
	for _, row := range shown {
		text := fit(v.row(row, width), columns)
		put(s.paint(stateColors[row.state], text))
	}
	screen.WriteString("\x1b[J")
	keys := "q quit  sort: n name  s state  u uptime  r restarts  c cpu  m memory"
	fmt.Fprintf(&screen, "\x1b[%d;1H%s\x1b[K", lines, s.paint(dim, fit(keys, columns)))
	return screen.String()
}

// topFixed is the width of all columns but the name.
const topFixed = len(" STATE--- PID---- UPTIME RST-- CPU--- MEM---- ") + sparkLength

func (v *topView) row(row usageRow, width int) string {
	pid, uptime, cpu, memory := "-", "-", "-", "-"
	if row.pid != "0" {
		pid, uptime, memory = row.pid, uptimeWords(row.seconds), bytesWords(row.bytes)
	}
	if percent := v.percent[row.name]; percent >= 0 && row.pid != "0" {
		cpu = strconv.FormatFloat(percent, 'f', 1, 64)
	}
	return fmt.Sprintf("%-*s %-8s %7s %6s %5d %6s %7s %s", width, fit(escape(row.name), width),
		fit(escape(row.state), 8), escape(pid), uptime, row.restarts, cpu, memory, v.spark(row.name))
}

// spark draws the last values of CPU, a full block for a whole processor.
func (v *topView) spark(name string) string {
	var text strings.Builder
	for _, percent := range v.sparks[name] {
		level := int(percent / 100 * float64(len(v.ramp)))
		text.WriteRune(v.ramp[min(level, len(v.ramp)-1)])
	}
	return text.String()
}

// fit cuts text to columns.
func fit(text string, columns int) string {
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	return string([]rune(text)[:columns])
}

// bytesWords writes a number of bytes in at most six columns: 512, 12.0M.
func bytesWords(bytes int64) string {
	value, unit := float64(bytes), ""
	for _, next := range []string{"K", "M", "G", "T"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, next
	}
	if unit == "" {
		return strconv.FormatInt(bytes, 10)
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + unit
}

// topSequences are what the keys send that are more than one byte.
var topSequences = []string{"\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~", "\x1bOA", "\x1bOB"}

// key obeys what was typed; it returns true to quit. A slow line may deliver
// the bytes of one key in pieces.
func (v *topView) key(typed string) (quit bool) {
	typed, v.typed = v.typed+typed, ""
	for typed != "" {
		pressed := typed[:1]
		for _, sequence := range topSequences {
			switch {
			case strings.HasPrefix(typed, sequence):
				pressed = sequence
			case strings.HasPrefix(sequence, typed):
				v.typed = typed
				return false
			}
		}
		typed = typed[len(pressed):]
		switch pressed {
		case "q", "Q":
			return true
		case "\x1b[A", "\x1bOA", "k":
			v.offset--
		case "\x1b[B", "\x1bOB", "j":
			v.offset++
		case "\x1b[5~":
			v.offset -= v.page
		case "\x1b[6~", " ":
			v.offset += v.page
		default:
			if _, known := topOrders[pressed]; known {
				v.order, v.offset = pressed, 0
			}
		}
	}
	return false
}

// summary is the first line: how many in which state, what they use, where,
// when. A narrow terminal cuts its end, so what is wrong comes first.
func (v *topView) summary() string {
	if v.last.err != nil {
		return "(not connected) " + asFailure(v.last.err).text
	}
	counts := map[string]int{}
	cpu, memory := 0.0, int64(0)
	for _, row := range v.last.rows {
		counts[row.state]++
		cpu += max(v.percent[row.name], 0)
		memory += row.bytes
	}
	var parts []string
	for _, state := range slices.Backward(statedir.States[:]) {
		if n := counts[strings.ToUpper(state)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return fmt.Sprintf("%s  CPU %.1f%%  MEM %s  %s  %s", strings.Join(parts, ", "),
		cpu, bytesWords(memory), v.last.server, v.last.at.Format("15:04:05"))
}
