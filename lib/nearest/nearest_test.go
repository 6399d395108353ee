package nearest

import "testing"

func TestOf(t *testing.T) {
	names := []string{"status", "start", "stop", "restart", "autorestart"}
	for word, want := range map[string]string{
		"strat":          "start",
		"staus":          "status",
		"STOP":           "stop",
		"restrat":        "restart",
		"autorestrt":     "autorestart",
		"stpo":           "stop",
		"x":              "",
		"":               "",
		"frobnicate":     "",
		"startstartstar": "",
	} {
		if got := Of(word, names); got != want {
			t.Errorf("Of(%q) = %q, want %q", word, got, want)
		}
	}
}
