package proto

import (
	"errors"
	"strings"
)

// The first byte of a server line.
const (
	KindDone   = '+'
	KindFailed = '-'
	KindAnswer = '='
	KindEvent  = '*'
)

// ErrProtocol says that what answers does not speak this protocol.
var ErrProtocol = errors.New("not a taskmaster server, or of another version")

// A Reply is one line of a reply.
type Reply struct {
	Kind byte   // one of the constants above
	Word string // of -ERR: one of Bad, NoProg, ...
	Text string // what follows
}

// ParseReply reads one line of the server, without its newline. The only
// error is ErrProtocol.
func ParseReply(text string) (Reply, error) {
	if text == "" {
		return Reply{}, ErrProtocol
	}
	r := Reply{Kind: text[0], Text: text[1:]}
	switch r.Kind {
	case KindAnswer, KindEvent:
		return r, nil
	case KindDone:
		return r, r.cutTag("OK")
	case KindFailed:
		if err := r.cutTag("ERR"); err != nil {
			return Reply{}, err
		}
		r.Word, r.Text, _ = strings.Cut(r.Text, " ")
		if r.Word == "" {
			return Reply{}, ErrProtocol
		}
		return r, nil
	}
	return Reply{}, ErrProtocol
}

// cutTag takes tag, alone or with a space after it, from the front of Text.
func (r *Reply) cutTag(tag string) error {
	first, rest, _ := strings.Cut(r.Text, " ")
	if first != tag {
		return ErrProtocol
	}
	r.Text = rest
	return nil
}
