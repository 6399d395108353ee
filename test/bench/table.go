package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const ours = "taskmaster"

// printTables prints each table as Markdown: a row a figure, a column a
// system, and what ours is of the fastest peer.
func printTables(w io.Writer, all []result) {
	for _, table := range distinct(all, func(r result) string { return r.Table }) {
		rows := slices.DeleteFunc(slices.Clone(all), func(r result) bool { return r.Table != table })
		printTable(w, table, rows)
	}
}

func printTable(w io.Writer, title string, rows []result) {
	systems := distinct(rows, func(r result) string { return r.System })
	fmt.Fprintf(w, "\n%s\n\n| | %s | ours / best peer |\n|---|%s---|\n", title, strings.Join(systems, " | "),
		strings.Repeat("---|", len(systems)))
	for _, figure := range distinct(rows, func(r result) string { return r.Figure }) {
		cells := make([]string, len(systems))
		mine, best, unit := 0.0, 0.0, ""
		for i, system := range systems {
			at := slices.IndexFunc(rows, func(r result) bool { return r.Figure == figure && r.System == system })
			if at < 0 {
				cells[i] = "-"
				continue
			}
			r := rows[at]
			unit, cells[i] = r.Unit, number(r.Median)
			switch {
			case system == ours:
				mine = r.Median
			case best == 0 || r.Median < best:
				best = r.Median
			}
		}
		ratio := "-"
		if best > 0 && mine > 0 {
			ratio = fmt.Sprintf("%.2f", mine/best)
		}
		fmt.Fprintf(w, "| %s (%s) | %s | %s |\n", figure, unit, strings.Join(cells, " | "), ratio)
	}
}

func number(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func distinct(rows []result, of func(result) string) []string {
	var found []string
	for _, r := range rows {
		if !slices.Contains(found, of(r)) {
			found = append(found, of(r))
		}
	}
	return found
}
