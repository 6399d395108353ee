package config

import "taskmaster/lib/nearest"

// maxGuesses bounds the names that all mistakes of a file together are
// compared with, so that thousands of mistakes among thousands of names do
// not take their product.
const maxGuesses = 50_000

// didYouMean returns `, did you mean "NAME"?` for the name nearest to word,
// or "" when none is near, or when there have been too many questions.
func (l *loader) didYouMean(word string, names []string) string {
	if l.guesses += len(names); l.guesses > maxGuesses {
		return ""
	}
	if near := nearest.Of(word, names); near != "" {
		return ", did you mean " + quoted(near) + "?"
	}
	return ""
}
