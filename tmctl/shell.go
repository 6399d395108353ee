package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/peterh/liner"

	"taskmaster/lib/die"
)

// shell reads commands from the terminal until quit or ^D. Its exit code is 0:
// what failed was seen.
func (s *session) shell() int {
	s.interactive = true
	original, err := liner.TerminalMode()
	if err != nil {
		return s.report(failed(die.Temporary, "unable to read the mode of the terminal: %s", err))
	}
	editor := liner.NewLiner() // raw from here to Close
	restore := func() { original.ApplyMode() }
	defer restore()
	defer editor.Close()
	defer restoreOnSignal(restore)()
	raw, err := liner.TerminalMode()
	if err != nil {
		return s.report(failed(die.Temporary, "unable to read the mode of the terminal: %s", err))
	}
	editor.SetCtrlCAborts(true)
	editor.SetTabCompletionStyle(liner.TabPrints)
	editor.SetWordCompleter(s.completeWord)
	lines := s.loadHistory(editor)

	restore()
	s.run([]string{"status"})
	for !s.leaving {
		raw.ApplyMode()
		text, err := editor.Prompt(s.prompt())
		// Commands run in the terminal's own mode: ^C is a signal there.
		restore()
		switch {
		case errors.Is(err, liner.ErrPromptAborted):
			continue
		case err != nil:
			return s.leave(err)
		case strings.TrimSpace(text) == "":
			continue
		}
		editor.AppendHistory(text)
		if err := lines.append(text); err != nil {
			s.report(failed(die.Failed, "unable to keep the history: %s", die.Reason(err)))
			lines = nil
		}
		s.line(text)
	}
	return die.OK
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
