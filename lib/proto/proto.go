// Package proto is the control protocol of taskmaster, both its sides: lines
// of text over TCP between tmd and its clients. tm-protocol(7) is its manual.
//
// A client sends requests, one a line, their words separated by spaces and
// percent-encoded (package line). The first byte of each line of the server
// says what it is:
//
//	?taskmaster 1 NONCE   the challenge, the first line of a connection
//	=...                  one line of the answer
//	*...                  an event line (package event)
//	+OK [TEXT]            the request is done
//	-ERR WORD [TEXT]      the request failed
//
// Exactly one + or - line ends the reply to each request, in the order of the
// requests.
package proto

import (
	"fmt"
	"strings"
	"time"
)

// Version is the number in the greeting.
const Version = "1"

// The limits of the server. Lengths are in bytes with the newline.
const (
	MaxGreeting        = 1024    // a line before authentication
	MaxRequest         = 65536   // a line after it
	MaxReply           = 1 << 20 // a line of the server; longer ones are cut
	MaxUnauthenticated = 64      // clients that have not authenticated yet
	MaxClients         = 1000    // clients in all
	MaxPipelined       = 1024    // requests read ahead of their replies
	MaxQueued          = 1 << 18 // bytes that wait for one client to read

	AuthTimeout  = 5 * time.Second  // from connecting to authenticated
	WriteTimeout = 30 * time.Second // for a client to take one piece of its replies
	Patience     = 2 * time.Second  // for a request to be ended while there is no room behind it
)

// The words that follow -ERR and say whose fault it is.
const (
	Bad    = "bad"    // the request is not well formed, or the file to load is not
	NoProg = "noprog" // no such program or instance
	State  = "state"  // not possible, or not reached, in the present state
	Denied = "denied" // not let in, or not allowed
	Some   = "some"   // done for some of the targets, not for others
	Busy   = "busy"   // too many clients, or requests of one
	Temp   = "temp"   // the system refused for now: try again
	Bug    = "bug"    // an error in tmd itself
)

// An Error is a -ERR line.
type Error struct {
	Word string // one of the constants above, or a newer one
	Text string // may be empty
}

// Error returns the text, or the word where there is none.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Word
	}
	return e.Text
}

// verbs are all requests that there are. Those that are true are open to
// the read-only secret. `end` is none of them: it has no reply of its own.
var verbs = map[string]bool{
	"status": true, "tail": true, "log": true, "watch": true, "pid": true,
	"show": true, "version": true, "help": true, "usage": true,

	"start": false, "stop": false, "restart": false, "reload": false,
	"shutdown": false, "signal": false, "wait": false, "upgrade": false,
	"rekey": false, "mail": false,
}

// Verbs returns all verbs that a server knows, unsorted.
func Verbs() []string {
	var names []string
	for name := range verbs {
		names = append(names, name)
	}
	return names
}

// clean returns text without anything that could begin a new line or drive a
// terminal: control characters are percent-encoded. Text longer than a reply
// may be is cut, never inside a %XX.
func clean(text string) string {
	const room = MaxReply - len("-ERR denied \n")
	if strings.IndexFunc(text, control) >= 0 {
		var out strings.Builder
		for i := 0; i < len(text); i++ {
			if c := text[i]; control(rune(c)) {
				fmt.Fprintf(&out, "%%%02X", c)
			} else {
				out.WriteByte(c)
			}
		}
		text = out.String()
	}
	if len(text) <= room {
		return text
	}
	cut := text[:room]
	if at := strings.LastIndexByte(cut, '%'); at > len(cut)-3 {
		cut = cut[:at]
	}
	return cut
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }
