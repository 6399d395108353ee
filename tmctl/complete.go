package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"taskmaster/lib/event"
	"taskmaster/lib/natural"
	"taskmaster/lib/proto"
	"taskmaster/lib/signame"
	"taskmaster/lib/statedir"
)

var completeCommand = command{
	name:  "complete",
	args:  "[--] WORD ...",
	about: "print what could stand for the last word, for the completion of shells",
	detail: `The words are those of a command line without tmctl and its own options; the
last may be empty.`,
	verbatim: true,
	max:      -1,
	run:      runComplete,
}

func runComplete(s *session, c *call) error {
	for _, candidate := range s.candidates(c.args) {
		fmt.Fprintln(s.out, escape(candidate))
	}
	return nil
}

// An operand gives the words that may stand for an operand of a command.
type operand func(s *session) []string

// completionWait is how long the daemon may take to tell its instances while
// someone waits for TAB.
const completionWait = 200 * time.Millisecond

// instanceNames are the instances that the daemon named last.
type instanceNames []instance

// refresh asks the daemon, on a connection of its own since a late answer
// would get mixed up with the next, and keeps the last list if it does not
// answer in time. The completion of another shell has no last list, so there
// the daemon may take as long as for any command.
func (s *session) refresh() instanceNames {
	wait := completionWait
	if !s.interactive {
		wait = letInTimeout
	}
	deadline := time.Now().Add(wait)
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	client, err := s.daemon.dial(ctx, 0)
	if err != nil {
		return s.instanceNames
	}
	defer client.Close()
	client.SetDeadline(deadline)
	var all instanceNames
	_, err = client.Do(context.Background(), func(r proto.Reply) {
		if i, err := parseInstance(r.Text); err == nil && r.Kind == proto.KindAnswer {
			all = append(all, i)
		}
	}, "status")
	if err == nil {
		slices.SortFunc(all, func(a, b instance) int { return natural.Compare(a.name, b.name) })
		s.instanceNames = all
	}
	return s.instanceNames
}

// targets returns the instances that ok is true for, their programs, and all.
func (s *session) targets(ok func(instance) bool) []string {
	var instances, programs []string
	for _, i := range s.refresh() {
		if !ok(i) {
			continue
		}
		if strings.Contains(i.name, ":") {
			instances = append(instances, i.name)
		}
		if !slices.Contains(programs, i.program()) {
			programs = append(programs, i.program())
		}
	}
	if len(programs) == 0 {
		return nil
	}
	return slices.Concat(programs, instances, []string{"all"})
}

// down says whether start would do anything.
func (i instance) down() bool {
	return slices.Contains([]string{statedir.Stopped, statedir.Exited, statedir.Fatal, statedir.Backoff}, i.state)
}

// The operands of the commands.
var (
	anyTarget     operand = func(s *session) []string { return s.targets(func(instance) bool { return true }) }
	stoppedTarget operand = func(s *session) []string { return s.targets(instance.down) }
	runningTarget operand = func(s *session) []string {
		return s.targets(func(i instance) bool { return i.pid != 0 || i.state == statedir.Backoff })
	}
	oneInstance operand = func(s *session) []string {
		var names []string
		for _, i := range s.refresh() {
			if strings.Contains(i.name, ":") {
				names = append(names, i.name)
			}
		}
		return names
	}
	commandName operand = (*session).commandNames
	signalName  operand = func(*session) []string { return signame.All() }
	streamName          = fixed("stdout", "stderr")
	stateName           = fixed(statedir.States[:]...)
	testWord            = fixed("test")
	eventName           = fixed(event.Kinds()...)
)

func fixed(words ...string) operand { return func(*session) []string { return words } }

// candidates returns what could stand for the last of words, sorted the way
// it is offered; words are those of a command from its name on.
func (s *session) candidates(words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	var all []string
	if len(words) == 1 {
		all = s.commandNames()
		slices.Sort(all)
	} else if c := s.find(words[0]); c != nil {
		all = s.following(c, words[1:len(words)-1], last)
	}
	return slices.DeleteFunc(slices.Clone(all), func(word string) bool {
		return !strings.HasPrefix(word, last)
	})
}

// following returns what may follow the words given to c.
func (s *session) following(c *command, given []string, last string) []string {
	before, value := c.operandsIn(given)
	if value {
		return nil // a number that the user knows
	}
	if strings.HasPrefix(last, "-") && before == 0 {
		var letters []string
		for _, o := range c.options {
			letters = append(letters, "-"+string(o.letter))
		}
		return letters
	}
	if len(c.operands) == 0 || c.max >= 0 && before >= c.max {
		return nil
	}
	return c.operands[min(before, len(c.operands)-1)](s)
}

// operandsIn counts the operands among the words given so far; value says
// that the next word is the value of an option.
func (c *command) operandsIn(given []string) (count int, value bool) {
	_, operands, err := proto.ParseOptions(c.spec(), given)
	if err != nil {
		return 0, true
	}
	return len(operands), false
}
