package proto

import (
	"fmt"
	"strings"
)

// Options are the options of a command, by their letter; one that takes no
// value has the value "".
type Options map[byte]string

// Has says whether the option was given.
func (o Options) Has(letter byte) bool {
	_, given := o[letter]
	return given
}

// ParseOptions takes the options from the front of words, as getopt(3) does:
// spec holds the letters, a ':' after those that take a value; "-fn5",
// "-f -n 5" and "-f -n5" are one, "--" ends the options. It returns the words
// that follow. The error names the wrong option.
func ParseOptions(spec string, words []string) (Options, []string, error) {
	given := Options{}
	for len(words) > 0 {
		word := words[0]
		if word == "--" {
			return given, words[1:], nil
		}
		if len(word) < 2 || word[0] != '-' {
			return given, words, nil
		}
		words = words[1:]
		for letters := word[1:]; letters != ""; {
			letter := letters[0]
			letters = letters[1:]
			at := strings.IndexByte(spec, letter)
			switch {
			case letter == '-':
				return nil, nil, fmt.Errorf("unknown option %s", word)
			case at < 0 || letter == ':':
				return nil, nil, fmt.Errorf("unknown option -%s", string(rune(letter)))
			case at+1 == len(spec) || spec[at+1] != ':':
				given[letter] = ""
			case letters != "":
				given[letter], letters = letters, ""
			case len(words) == 0:
				return nil, nil, fmt.Errorf("option -%c needs a value", letter)
			default:
				given[letter], words = words[0], words[1:]
			}
		}
	}
	return given, words, nil
}
