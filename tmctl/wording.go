package main

import (
	"fmt"
	"strings"

	"taskmaster/lib/event"
)

// inWords says what an event line tells, for people: "started (pid 4312)".
// What it does not know it shows as it is. The result is escaped.
func inWords(e *event.Event) string {
	switch {
	case e.Name == event.Daemon:
		return pairs(e)
	case wordings[e.Kind] != nil:
		return escape(wordings[e.Kind](e))
	}
	return pairs(e)
}

// wordings are those of the events of an instance (tm-event(5)).
var wordings = map[string]func(*event.Event) string{
	event.Starting: wordStarting,
	event.Running:  func(e *event.Event) string { return "running (pid " + e.Get("pid") + ")" },
	event.Exited:   wordExited,
	event.Backoff: func(e *event.Event) string {
		return "failed to start" + reason(e, ": ") + retryWords(e)
	},
	event.Fatal:     func(e *event.Event) string { return "FATAL" + reason(e, ": ") },
	event.Stopping:  wordStopping,
	event.Killed:    func(e *event.Event) string { return "still there, sent SIGKILL" + reason(e, ": ") },
	event.Stopped:   func(e *event.Event) string { return "stopped" + reason(e, ": ") },
	event.Waiting:   func(e *event.Event) string { return e.Get("reason") },
	event.Unhealthy: func(e *event.Event) string { return "unhealthy" + reason(e, ": ") },
	event.Healthy:   func(*event.Event) string { return "healthy again" },
}

func retryWords(e *event.Event) string {
	return ", retry " + escape(e.Get("try")) + " in " + escape(e.Get("wait")) + " s"
}

func wordStarting(e *event.Event) string {
	text := "starting (pid " + e.Get("pid") + ")"
	if e.Int("try") > 1 {
		text += ", try " + e.Get("try")
	}
	return text
}

func wordExited(e *event.Event) string {
	text := "exited " + e.Get("code")
	if signal := e.Get("signal"); signal != "" {
		text = "killed by SIG" + strings.TrimPrefix(signal, "SIG")
		if e.Get("core") == "yes" {
			text += " (core dumped)"
		}
	}
	if uptime := e.Get("uptime"); uptime != "" {
		text += " after " + uptime + " s"
	}
	if e.Get("expected") == "no" {
		text += ", not expected"
	}
	if left := e.Int("left"); left > 0 {
		text += fmt.Sprintf(", and left %d processes", left)
	}
	return text + reason(e, ": ")
}

func wordStopping(e *event.Event) string {
	text := "stopping"
	if signal := e.Get("signal"); signal != "" {
		text += " with SIG" + strings.TrimPrefix(signal, "SIG")
	}
	return text
}

func reason(e *event.Event, before string) string {
	if text := e.Get("reason"); text != "" {
		return before + text
	}
	return ""
}

// pairs is the general form: the event, then each key with its value.
func pairs(e *event.Event) string {
	words := []string{escape(e.Kind)}
	for _, p := range e.Pairs {
		value := escape(p.Value)
		if value == "" || strings.Contains(value, " ") {
			value = `"` + value + `"`
		}
		words = append(words, escape(p.Key)+"="+value)
	}
	return strings.Join(words, " ")
}
