package main

import "regexp"

// A rule drops or keeps the lines that its expression matches.
type rule struct {
	re   *regexp.Regexp
	keep bool
}

// A filter selects lines the way multilog(8) does: all are kept to begin
// with, and of the rules that match the last one decides. The expressions are
// Go's and see the line as it came, without its newline, time or prefix.
type filter []rule

func (f *filter) add(expression string, keep bool) error {
	re, err := regexp.Compile(expression)
	if err == nil {
		*f = append(*f, rule{re, keep})
	}
	return err
}

// keeps says whether a line goes to the file.
func (f filter) keeps(line []byte) bool {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].re.Match(line) {
			return f[i].keep
		}
	}
	return true
}
