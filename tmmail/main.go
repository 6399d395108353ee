// Tmmail mails what event lines on its standard input tell.
//
//	tmsupervise -n web -- ./web | tmmail -t ops@example.org
//
// Events that qualify go into the spool first, are grouped by program into
// stories, and each story becomes one mail. tmmail(8) has the rest.
//
// The way of an event through the files: intake and loop read it, notifier
// puts it into a story (story, groupfile), compose, subject and words write
// the page, message makes a mail of it, queue keeps that, and delivery hands
// it over by smtp or sendmail.
package main

import (
	"errors"
	"os"
	"strings"

	"taskmaster/lib/die"
)

func main() {
	die.Name = "tmmail"
	defer die.OnPanic()
	s, err := parseArgs(os.Args[1:])
	if err != nil {
		refuse(err)
	}
	openEvents()
	if s.Test {
		os.Exit(testMail(s, os.Stdout))
	}
	sp, err := openSpool(s.Spool)
	if err != nil {
		die.Fatal(die.Temporary, "unable to open the spool "+s.Spool, err)
	}
	os.Exit(run(s, sp))
}

// refuse says what is wrong with the settings, every mistake on a line of its
// own, and exits.
func refuse(err error) {
	var usage usageError
	if errors.As(err, &usage) {
		die.UsageError(usage.Error(), synopsis)
	}
	mistakes := strings.Split(err.Error(), "\n")
	last := len(mistakes) - 1
	for _, mistake := range mistakes[:last] {
		die.Warn(mistake, nil)
	}
	die.Fatal(die.Usage, mistakes[last], nil)
}
