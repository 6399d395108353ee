package main

import (
	"os"

	"taskmaster/lib/statedir"

	"golang.org/x/sys/unix"
)

// A color is the SGR code of a colour (ECMA-48).
type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	cyan   color = "36"
	dim    color = "2"
	bold   color = "1"
)

// stateColors gives the colour of each state, none to one without trouble or
// life.
var stateColors = map[string]color{
	statedir.Running: green, statedir.Starting: yellow, statedir.Stopping: yellow,
	statedir.Backoff: yellow, statedir.Fatal: red, statedir.Exited: cyan,
}

// A screen is a terminal that output goes to.
type screen struct{ file *os.File }

// isTerminal says whether file is a terminal.
func isTerminal(file *os.File) bool {
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

// size returns the columns and rows of the terminal, 80 and 24 when it does
// not say.
func (s *screen) size() (columns, rows int) {
	size, err := unix.IoctlGetWinsize(int(s.file.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 || size.Row == 0 {
		return 80, 24
	}
	return int(size.Col), int(size.Row)
}

// colored says whether the terminal is to show colours (no-color.org).
func (s *screen) colored() bool {
	term := os.Getenv("TERM")
	return s != nil && os.Getenv("NO_COLOR") == "" && term != "" && term != "dumb"
}

// paint returns text in a colour where colours are shown, else text.
func (s *session) paint(c color, text string) string {
	if c == "" || !s.screen.colored() {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// moves says whether the terminal understands the movements of ECMA-48.
func (s *screen) moves() bool {
	term := os.Getenv("TERM")
	return s != nil && term != "" && term != "dumb"
}
