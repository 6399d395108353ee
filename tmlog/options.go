package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"taskmaster/lib/quantity"
)

// synopsis is the first part of tmlog(8), word for word.
const synopsis = "tmlog [-t none|rfc3339|tai64n] [-s SIZE] [-n BACKUPS] [-a AGE] [-S TOTAL] " +
	"[-p PREFIX] [-x RE] [-i RE] [-z CMD] [-f block|drop|prune] FILE"

// maxPrefix bounds what is put in front of a line, and so what a chunk of
// empty lines can grow to.
const maxPrefix = 1024

// A policy says what is done with lines that cannot be written.
type policy string

const (
	block policy = "block" // leave them in the pipe until they can
	drop  policy = "drop"  // discard and count them
	prune policy = "prune" // delete the oldest rotated files, then block
)

// options are those of the command line.
type options struct {
	path     string // absolute, so that it names the same file for ever
	stamp    stampFormat
	maxBytes int64         // 0: never rotate by size
	backups  int           // rotated files to keep
	maxAge   time.Duration // 0: never rotate by age
	maxTotal int64         // of all rotated files; 0: no limit
	prefix   string
	selects  filter
	compress string // for /bin/sh -c; "" for none
	onFull   policy
}

// plain says that lines go to the file as they come.
func (o *options) plain() bool {
	return o.stamp == noStamp && o.prefix == "" && len(o.selects) == 0
}

// parseOptions reads the arguments after the program's name, as getopt(3)
// does: a value follows its letter in the same word or is the next one.
func parseOptions(args []string) (options, error) {
	opt := options{stamp: noStamp, maxBytes: 10 << 20, backups: 5, onFull: block}
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		letter, value := args[0][1], args[0][2:]
		args = args[1:]
		if letter == '-' && value == "" {
			break
		}
		if strings.IndexByte("tsnaSpxizf", letter) < 0 {
			if letter == '-' {
				return opt, errors.New("unknown option --" + value)
			}
			return opt, errors.New("unknown option -" + string(letter))
		}
		if value == "" {
			if len(args) == 0 {
				return opt, errors.New("option -" + string(letter) + " needs a value")
			}
			value, args = args[0], args[1:]
		}
		if err := opt.set(letter, value); err != nil {
			return opt, errors.New("-" + string(letter) + " " + value + ": " + err.Error())
		}
	}
	if len(args) != 1 || args[0] == "" || strings.HasSuffix(args[0], "/") {
		return opt, errors.New("one FILE is needed")
	}
	path, err := filepath.Abs(args[0])
	opt.path = path
	return opt, err
}

func (o *options) set(letter byte, value string) (err error) {
	switch letter {
	case 't':
		o.stamp, err = parseStamp(value)
	case 's':
		o.maxBytes, err = quantity.Size(value)
	case 'n':
		o.backups, err = strconv.Atoi(value)
		if err != nil || o.backups < 0 {
			err = errors.New("not a number of files")
		}
	case 'a':
		o.maxAge, err = quantity.Duration(value)
	case 'S':
		o.maxTotal, err = quantity.Size(value)
	case 'p':
		o.prefix = value
		if len(value) > maxPrefix || strings.IndexByte(value, '\n') >= 0 {
			err = errors.New("a prefix has at most 1024 bytes and no newline")
		}
	case 'x':
		err = o.selects.add(value, false)
	case 'i':
		err = o.selects.add(value, true)
	case 'z':
		o.compress = value
	case 'f':
		o.onFull = policy(value)
		if o.onFull != block && o.onFull != drop && o.onFull != prune {
			err = errors.New("the policies are block, drop and prune")
		}
	}
	return err
}
