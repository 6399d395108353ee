package config

import "taskmaster/lib/nearest"

// didYouMean returns `, did you mean "NAME"?` for the name nearest to word,
// or "" when none is near.
func didYouMean(word string, names []string) string {
	if near := nearest.Of(word, names); near != "" {
		return ", did you mean " + quoted(near) + "?"
	}
	return ""
}
