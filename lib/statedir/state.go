package statedir

import "strings"

// The states of an instance, as its status and tmctl name them. What they mean
// is in section STATES of tmd(8).
const (
	Stopped  = "STOPPED"
	Starting = "STARTING"
	Running  = "RUNNING"
	Backoff  = "BACKOFF"
	Stopping = "STOPPING"
	Exited   = "EXITED"
	Fatal    = "FATAL"
)

// States are all of them, in lower case: the words of the protocol and of its
// verb wait.
var States = [...]string{"stopped", "starting", "running", "backoff", "stopping", "exited", "fatal"}

// IsState reports whether a word, in either case, is one of them.
func IsState(word string) bool {
	for _, state := range States {
		if strings.EqualFold(state, word) {
			return true
		}
	}
	return false
}
