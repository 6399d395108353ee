package docs_test

import (
	"strings"
	"testing"

	"taskmaster/lib/proto"
)

// TestReplyWords holds that tm-protocol.7 has every verb and every word that
// may follow -ERR.
func TestReplyWords(t *testing.T) {
	t.Parallel()
	text := source(t, "tm-protocol.7")
	for _, word := range []string{proto.Bad, proto.NoProg, proto.State, proto.Denied, proto.Some, proto.Busy, proto.Temp, proto.Bug} {
		if !strings.Contains(text, "\n.It Li "+word+"\n") {
			t.Errorf("tm-protocol.7 lacks %s", word)
		}
	}
	for _, verb := range proto.Verbs() {
		if !strings.Contains(text, verb) {
			t.Errorf("tm-protocol.7 lacks %s", verb)
		}
	}
}
