package terminal

import "strings"

// A Grid is what a terminal of that size shows after some output: a reader of
// the few sequences that top uses (ECMA-48).
type Grid struct {
	lines       [][]rune
	row, column int
	Wrapped     bool // something was written beyond the last column
}

// NewGrid returns an empty terminal.
func NewGrid(columns, rows int) *Grid {
	g := &Grid{}
	for range rows {
		g.lines = append(g.lines, []rune(strings.Repeat(" ", columns)))
	}
	return g
}

// Write shows text.
func (g *Grid) Write(text string) {
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\r':
			g.column = 0
		case r == '\n':
			g.row = min(g.row+1, len(g.lines)-1)
		case r == '\x1b' && i+1 < len(runes) && runes[i+1] == '[':
			end := i + 2
			for end < len(runes) && (runes[end] < '@' || runes[end] > '~') {
				end++
			}
			if end < len(runes) {
				g.control(string(runes[i+2:end]), runes[end])
			}
			i = end
		default:
			if g.column >= len(g.lines[g.row]) {
				g.Wrapped = true
				continue
			}
			g.lines[g.row][g.column] = r
			g.column++
		}
	}
}

func (g *Grid) control(parameters string, final rune) {
	switch final {
	case 'H':
		g.row, g.column = 0, 0
		if row, _, ok := strings.Cut(parameters, ";"); ok {
			for _, digit := range row {
				g.row = g.row*10 + int(digit-'0')
			}
			g.row = min(max(g.row-1, 0), len(g.lines)-1)
		}
	case 'K':
		blank(g.lines[g.row][min(g.column, len(g.lines[g.row])):])
	case 'J':
		blank(g.lines[g.row][min(g.column, len(g.lines[g.row])):])
		for _, line := range g.lines[g.row+1:] {
			blank(line)
		}
	}
}

func blank(cells []rune) {
	for i := range cells {
		cells[i] = ' '
	}
}

// String returns the lines, each without the blanks at its end.
func (g *Grid) String() string {
	var text strings.Builder
	for _, line := range g.lines {
		text.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return text.String()
}
