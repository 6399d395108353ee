package system_test

import (
	"context"
	"strings"
	"testing"

	"taskmaster/lib/proto"
	"taskmaster/test/tmtest"
)

// The time in a status line is that of the last change of state, also when
// there never was one.
func TestTimeOfLastChange(t *testing.T) {
	t.Parallel()
	h := tmtest.NewHost(t, `
programs:
  never: {cmd: sleep 1000, autostart: false}
  none: {cmd: sleep 1000, numprocs: 0}
`)
	d := h.Start()
	client, err := proto.Dial(context.Background(), strings.TrimSpace(h.Read("state/address")), strings.TrimSpace(h.Read("state/secret")),
		tmtest.Patience, tmtest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	lines := func() string {
		var text strings.Builder
		if _, err := client.Do(context.Background(), func(r proto.Reply) { text.WriteString(r.Text + "\n") }, "status"); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	first := lines()
	h.Ctl("status") // which takes longer than the resolution of the time
	if second := lines(); second != first || strings.Count(first, " stopped ") != 2 {
		t.Errorf("nothing changed, but the lines are\n%sthen\n%s", first, second)
	}
	d.Stop()
}
