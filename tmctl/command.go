package main

import (
	"fmt"
	"strconv"
	"strings"

	"taskmaster/lib/die"
	"taskmaster/lib/proto"
	"taskmaster/lib/quantity"
)

// A command is one row of the table. Each has a file of its own, with its
// row and what it does.
type command struct {
	name    string
	alias   string // a second name, "" for none
	args    string // what follows the name in its usage line
	about   string // one line, for the list of help
	detail  string // further lines of `help COMMAND`
	options []option

	verbatim bool      // operands may be empty: they are words of a command line
	operands []operand // what completion offers; the last stands for all further ones
	min, max int       // number of operands; max -1 is any number

	run func(s *session, c *call) error
}

// An option is one letter of a command.
type option struct {
	letter byte
	value  string // the name of its value, "" for an option that takes none
	about  string
}

// A call is a command with its words.
type call struct {
	command *command
	options proto.Options
	args    []string // the operands
	words   []string // the whole request as given: name, options, operands
}

func (c *call) has(letter byte) bool { return c.options.Has(letter) }

// usage is the command's line of help.
func (c *command) usage() string {
	return strings.TrimSpace(c.name + " " + c.args)
}

// spec gives the letters in the form that proto.ParseOptions takes.
func (c *command) spec() string {
	var spec strings.Builder
	for _, o := range c.options {
		spec.WriteByte(o.letter)
		if o.value != "" {
			spec.WriteByte(':')
		}
	}
	return spec.String()
}

// parse checks words, the command's name first, against its row.
func (c *command) parse(words []string) (*call, error) {
	given, args, err := proto.ParseOptions(c.spec(), words[1:])
	if err != nil {
		return nil, c.wrong(err.Error())
	}
	for _, arg := range args {
		if arg == "" && !c.verbatim {
			return nil, c.wrong("an argument is empty")
		}
	}
	switch {
	case len(args) < c.min:
		return nil, c.wrong("too few arguments")
	case c.max >= 0 && len(args) > c.max:
		return nil, c.wrong("too many arguments")
	}
	for _, o := range c.options {
		if err := o.check(given); err != nil {
			return nil, c.wrong(err.Error())
		}
	}
	return &call{command: c, options: given, args: args, words: words}, nil
}

// check refuses a value that is not what its name says.
func (o option) check(given proto.Options) error {
	value, ok := given[o.letter]
	if !ok {
		return nil
	}
	switch o.value {
	case "SECS":
		if _, err := quantity.Duration(value); err != nil {
			return fmt.Errorf("-%c %s: %w", o.letter, value, err)
		}
	case "N":
		if n, err := strconv.Atoi(value); err != nil || n < 0 {
			return fmt.Errorf("-%c %s: not a number of lines", o.letter, value)
		}
	}
	return nil
}

// wrong is the error for words that are not a correct call of c.
func (c *command) wrong(what string) error {
	return &failure{code: die.Usage, text: c.name + ": " + what, usage: c.usage()}
}

// find returns the command of that name, nil when there is none.
func (s *session) find(name string) *command {
	for _, c := range s.commands {
		if name == c.name || name == c.alias && name != "" {
			return c
		}
	}
	return nil
}

// commandNames returns the names of all commands.
func (s *session) commandNames() []string {
	var all []string
	for _, c := range s.commands {
		all = append(all, c.name)
		if c.alias != "" {
			all = append(all, c.alias)
		}
	}
	return all
}
