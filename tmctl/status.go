package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"taskmaster/lib/die"
)

var statusCommand = command{
	name:  "status",
	args:  "[-p|-j] [TARGET ...]",
	about: "show what runs and what does not",
	detail: `The columns are NAME STATE PID UPTIME RESTARTS DETAIL. The exit code is 3 when
one of the instances shown is neither RUNNING nor STARTING.`,
	options: []option{
		{'p', "", "for scripts: tab-separated, no header, uptime in seconds, - for none"},
		{'j', "", "JSON, one object a line"},
	},
	operands: []operand{anyTarget},
	max:      -1,
	run:      runStatus,
}

func runStatus(s *session, c *call) error {
	if c.has('p') && c.has('j') {
		return c.command.wrong("-p and -j exclude each other")
	}
	all, err := s.instances(c.args)
	if err != nil {
		return err
	}
	switch {
	case c.has('p'):
		writePlain(s, all)
	case c.has('j'):
		writeJSON(s, all)
	default:
		writeTable(s, all)
	}
	for _, i := range all {
		if !i.up() {
			return &failure{code: die.NotUp}
		}
	}
	return nil
}

func writeTable(s *session, all []instance) {
	t := table{right: []bool{false, false, true, true, true, false}}
	t.add(cell{"NAME", bold}, cell{"STATE", bold}, cell{"PID", bold},
		cell{"UPTIME", bold}, cell{"RESTARTS", bold}, cell{"DETAIL", bold})
	for _, i := range all {
		pid, uptime := "-", "-"
		if i.pid != 0 {
			pid, uptime = strconv.Itoa(i.pid), uptimeWords(i.uptime)
		}
		t.add(cell{escape(i.name), ""}, cell{escape(i.state), stateColors[i.state]},
			cell{pid, ""}, cell{uptime, ""}, cell{strconv.Itoa(i.restarts), ""},
			cell{escape(i.detail), ""})
	}
	t.write(s)
}

func writePlain(s *session, all []instance) {
	for _, i := range all {
		pid, uptime, detail := "-", "-", "-"
		if i.pid != 0 {
			pid, uptime = strconv.Itoa(i.pid), i.uptime
		}
		if i.detail != "" {
			detail = escape(i.detail)
		}
		fmt.Fprintf(s.out, "%s\t%s\t%s\t%s\t%d\t%s\n",
			escape(i.name), escape(i.state), pid, uptime, i.restarts, detail)
	}
}

// jsonInstance is the form of an instance that -j prints (tmctl(1)).
type jsonInstance struct {
	Name     string       `json:"name"`
	State    string       `json:"state"`
	PID      *int         `json:"pid"`
	Uptime   *json.Number `json:"uptime"`
	Restarts int          `json:"restarts"`
	Detail   string       `json:"detail"`
}

func writeJSON(s *session, all []instance) {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.SetEscapeHTML(false)
	for _, i := range all {
		object := jsonInstance{Name: i.name, State: i.state, Restarts: i.restarts, Detail: i.detail}
		if i.pid != 0 {
			uptime := json.Number(i.uptime)
			object.PID, object.Uptime = &i.pid, &uptime
		}
		lines.Encode(object)
	}
	s.out.Write(escapeJSON(text.Bytes()))
}

// escapeJSON writes what is not printable as \uXXXX. JSON itself allows DEL,
// the C1 controls and those of the writing direction as they are, and a
// terminal obeys them.
func escapeJSON(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		if r == '\n' || !unprintable(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			out = fmt.Appendf(out, `\u%04x`, unit)
		}
	}
	return out
}
