package proto

import (
	"strings"

	"taskmaster/lib/line"
)

// A Request is one line of a client and the way to answer it. The function
// that handles it calls Answer any number of times, then OK or Err exactly
// once. All methods may be called from any goroutine.
type Request struct {
	Verb     string
	Args     []string // the words after the verb, decoded
	Line     string   // the request as it came, for the command event
	Peer     string   // who asks: "127.0.0.1:40112"
	ReadOnly bool     // asked with the read-only secret

	fault  *Error // why it cannot be handled
	client *conn
	done   chan struct{}

	ended    bool // done is closed; guarded by client.mu
	endable  bool // its handler waits for done as well; guarded by client.mu
	timed    bool // it is seen to that late is set; guarded by client.mu
	late     bool // others had no room behind it for Patience; guarded by client.mu
	more     int  // further requests with the same fault; guarded by client.mu
	answered bool // guarded by client.out.mu
}

// ParseRequest reads one line of a client, without its newline. The error, nil
// when there is none, has the word Bad: for an empty line, a byte that must have
// been percent-encoded, broken encoding, or an unknown verb.
func ParseRequest(text string) (*Request, *Error) {
	r := &Request{Line: text}
	for i := 0; i < len(text); i++ {
		if text[i] < 0x20 || text[i] >= 0x7f {
			return nil, &Error{Bad, "a byte that must be percent-encoded"}
		}
	}
	words, err := line.Words(text)
	if err != nil {
		return nil, &Error{Bad, err.Error()}
	}
	if len(words) == 0 {
		return nil, &Error{Bad, "empty request"}
	}
	r.Verb, r.Args = words[0], words[1:]
	if _, known := verbs[r.Verb]; !known {
		return nil, &Error{Bad, "unknown request " + line.Encode(r.Verb)}
	}
	return r, nil
}

// Answer sends one = line; control characters in it are percent-encoded. It
// waits while the client is slow to read, and returns false when the client
// is gone.
func (r *Request) Answer(words string) bool {
	return r.client.out.answer(r, "="+clean(words)+"\n")
}

// Event queues one * line, the event without its newline, and never waits.
// When the queue of this client is full the event is dropped, counted, and
// the client is told by `*TIME tmd lost n=37` once it reads on. It returns
// false when the event was dropped or the request is over.
func (r *Request) Event(text string) bool {
	return r.client.out.event(r, "*"+clean(text)+"\n")
}

// Accept sends the +OK that begins the reply to `watch`: from here on the
// client misses nothing. OK, when the client sent `end`, ends the reply.
func (r *Request) Accept() bool {
	return r.client.out.answer(r, "+OK\n")
}

// OK ends the reply with +OK TEXT. A second end of the same reply is ignored.
func (r *Request) OK(text string) {
	r.client.out.end(r, strings.TrimSuffix("+OK "+clean(text), " ")+"\n")
}

// Err ends the reply with -ERR WORD TEXT; word is one of the constants of
// this package. A second end of the same reply is ignored.
func (r *Request) Err(word, text string) {
	r.client.out.end(r, strings.TrimSuffix("-ERR "+word+" "+clean(text), " ")+"\n")
}

// Done is closed when the client sent `end`, is gone, or the server closes.
// A request that streams then ends with OK, one that waits with
// Err(State, "ended"); what it began goes on.
func (r *Request) Done() <-chan struct{} {
	r.client.mark(&r.endable)
	return r.done
}
