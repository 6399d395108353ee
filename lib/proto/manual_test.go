package proto

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestManual holds that tm-protocol(7) has every verb, word and limit.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../man/tm-protocol.7")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, verb := range Verbs() {
		if !strings.Contains(page, verb) {
			t.Errorf("the manual lacks the verb %s", verb)
		}
	}
	for _, word := range []string{Bad, NoProg, State, Denied, Some, Busy, Temp, Bug} {
		if !strings.Contains(page, "\n.It Li "+word+"\n") {
			t.Errorf("the manual lacks the word %s", word)
		}
	}
	for _, limit := range []string{
		fmt.Sprint(MaxGreeting, " bytes"), fmt.Sprint(MaxRequest, " bytes"), "1 MiB", fmt.Sprint(MaxQueued>>10, " KiB"),
		fmt.Sprint(MaxUnauthenticated, " clients"), fmt.Sprint(MaxClients, " clients"), fmt.Sprint("most ", MaxPipelined),
		fmt.Sprint(AuthTimeout.Seconds(), " seconds"), fmt.Sprint(WriteTimeout.Seconds(), " seconds"),
		fmt.Sprint(Patience.Seconds(), " seconds"),
	} {
		if !strings.Contains(page, limit) {
			t.Errorf("the manual lacks the limit %q", limit)
		}
	}
}
