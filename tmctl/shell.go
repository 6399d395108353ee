package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"unicode/utf8"

	"github.com/peterh/liner"

	"taskmaster/lib/die"
)

// shell reads commands from the terminal until quit or ^D. Its exit code is 0:
// what failed was seen.
func (s *session) shell() int {
	s.interactive = true
	own, err := s.mode()
	if err != nil {
		return s.report(err)
	}
	editor := liner.NewLiner() // its mode from here to Close
	defer editor.Close()
	defer s.terminal.changed(func() { own.apply() })()
	editing, err := s.mode()
	if err != nil {
		return s.report(err)
	}
	editing = editing.withoutSignals() // liner does it only after it showed the prompt
	// A ^C between two commands must not end the shell.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)

	editor.SetCtrlCAborts(true)
	editor.SetTabCompletionStyle(liner.TabPrints)
	editor.SetWordCompleter(s.completeWord)
	lines := s.loadHistory(editor)

	own.apply()
	end := s.heedInterrupt()
	s.run([]string{"status"})
	end()
	for !s.leaving {
		editing.apply()
		text, err := editor.Prompt(s.prompt())
		heeded := s.heedInterrupt() // before ^C becomes a signal again
		own.apply()                 // a command runs in the mode that the user's shell gave
		switch {
		case err == liner.ErrPromptAborted:
		case err != nil:
			return s.leave(err)
		case strings.TrimSpace(text) != "":
			editor.AppendHistory(text)
			lines = s.keep(lines, text)
			s.line(text)
		}
		heeded()
	}
	return die.OK
}

// keep appends a line to the history. When that fails the user is told once
// and no further lines are kept.
func (s *session) keep(lines *history, text string) *history {
	if err := lines.append(text); err != nil {
		s.report(failed(die.Failed, "unable to keep the history: %s", die.Reason(err)))
		return nil
	}
	return lines
}

// leave ends the shell at the end of its input.
func (s *session) leave(err error) int {
	if err == io.EOF {
		fmt.Fprintln(s.out) // ^D leaves the cursor behind the prompt
		return die.OK
	}
	return s.report(failed(die.Temporary, "unable to read from the terminal: %s", die.Reason(err)))
}

// prompt names the daemon that the next command goes to.
func (s *session) prompt() string {
	if s.client == nil || !s.client.Alive() {
		s.disconnect()
		return "tmctl (not connected)> "
	}
	return "tmctl " + s.client.Server() + "> "
}

// completeWord is liner's view of candidates.
func (s *session) completeWord(line string, pos int) (head string, completions []string, tail string) {
	before := []rune(line)[:pos]
	head = string(before)
	start := strings.LastIndexByte(head, ' ') + 1
	words := append(strings.Fields(head[:start]), head[start:])
	completions = s.candidates(words)
	if len(completions) == 1 {
		completions[0] += " " // it is whole: on to the next word
	}
	return head[:start], completions, string([]rune(line)[pos:])
}

// loadHistory gives the editor what was typed before. Without a place for
// the history there is none, which the user is told once.
func (s *session) loadHistory(editor *liner.State) *history {
	h, err := openHistory()
	if err == nil {
		var text []byte
		if text, err = h.read(); err == nil {
			// One by one, since liner stops reading at a line it dislikes.
			for _, line := range strings.Split(string(text), "\n") {
				if line != "" && utf8.ValidString(line) {
					editor.AppendHistory(line)
				}
			}
			return h
		}
	}
	fmt.Fprintf(os.Stderr, "no history is kept: %s\n", die.Reason(err))
	return nil
}
