// Package nearest finds what someone meant to type.
package nearest

import "strings"

// longest is the longest word looked at; the cost grows with its square.
const longest = 64

// Of returns the name that the fewest typing errors separate from word, "" when
// there are more than one in three characters, or more than three. Case does
// not count; of equally near names the first is taken.
func Of(word string, names []string) string {
	if len(word) > longest {
		return ""
	}
	word = strings.ToLower(word)
	best, fewest := "", min(len(word)/3, 3)+1
	for _, name := range names {
		if d := typingErrors(word, strings.ToLower(name)); d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// typingErrors counts the letters put in, left out, replaced, or swapped with
// their neighbour between a and b: the optimal string alignment distance.
func typingErrors(a, b string) int {
	width := len(b) + 1
	before, last, row := make([]int, width), make([]int, width), make([]int, width)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
