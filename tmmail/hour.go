package main

import (
	"strings"
	"time"
)

// An hour holds when the mails of the last sixty minutes were made, oldest
// first, so that a flood of events does not become a flood of mail.
type hour struct {
	most int
	made []time.Time
}

// left is how many mails may still be made at now.
func (h *hour) left(now time.Time) int {
	for len(h.made) > 0 && now.Sub(h.made[0]) >= time.Hour {
		h.made = h.made[1:]
	}
	return max(0, h.most-len(h.made))
}

// take counts a mail made at now.
func (h *hour) take(now time.Time) { h.made = append(h.made, now) }

// opens is when the next mail may be made, given that none may now.
func (h *hour) opens() time.Time { return h.made[len(h.made)-h.most].Add(time.Hour) }

// saveHour and loadHour carry the count over a restart, so that a tmmail that
// dies often does not mail often.
func (s spool) saveHour(h *hour) error {
	var text strings.Builder
	for _, at := range h.made {
		text.WriteString(at.UTC().Format(time.RFC3339Nano) + "\n")
	}
	return s.write("", "hour", []byte(text.String()))
}

func (s spool) loadHour(now time.Time, most int) hour {
	h := hour{most: most}
	text, err := s.read("", "hour")
	if err != nil {
		return h // the first start
	}
	for _, row := range strings.Fields(string(text)) {
		if at, err := time.Parse(time.RFC3339Nano, row); err == nil {
			h.made = append(h.made, sinceOf(now, at))
		}
	}
	return h
}
