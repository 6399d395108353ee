package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A table is rows of cells, aligned in columns. The last column is not
// padded. Numbers are set to the right.
type table struct {
	right []bool // by column
	rows  [][]cell
}

// A cell is text and its colour.
type cell struct {
	text  string
	color color
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// write prints the table; every text must be escaped already.
func (t *table) write(s *session) {
	var widths []int
	for _, row := range t.rows {
		for column, c := range row {
			if column == len(widths) {
				widths = append(widths, 0)
			}
			widths[column] = max(widths[column], utf8.RuneCountInString(c.text))
		}
	}
	for _, row := range t.rows {
		var text strings.Builder
		for column, c := range row {
			if column > 0 {
				text.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[column]-utf8.RuneCountInString(c.text))
			switch {
			case t.right[column]:
				text.WriteString(pad + s.paint(c.color, c.text))
			case column == len(row)-1:
				text.WriteString(s.paint(c.color, c.text))
			default:
				text.WriteString(s.paint(c.color, c.text) + pad)
			}
		}
		fmt.Fprintln(s.out, strings.TrimRight(text.String(), " "))
	}
}
