package config

import "strings"

// didYouMean returns `, did you mean "NAME"?` for the name nearest to word,
// or "" when none is near.
func didYouMean(word string, names []string) string {
	if near := nearest(word, names); near != "" {
		return ", did you mean " + quoted(near) + "?"
	}
	return ""
}

// nearest returns the name that the fewest typing errors separate from word:
// at most one in three characters, and at most three. Case does not count.
func nearest(word string, names []string) string {
	const longest = 64 // no name is longer; the cost grows with the square
	if len(word) > longest {
		return ""
	}
	best, fewest := "", min(len(word)/3, 3)+1
	for _, name := range names {
		if d := typingErrors(strings.ToLower(word), strings.ToLower(name)); d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// typingErrors counts the letters put in, left out, replaced, or swapped with
// their neighbour between a and b (the optimal string alignment distance).
func typingErrors(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
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
