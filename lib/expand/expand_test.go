package expand

import (
	"os"
	"testing"
)

func TestSetting(t *testing.T) {
	t.Setenv("PLACE", "/run/%(here)s")
	t.Setenv("EMPTY", "")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                      "",
		"/run/tm":               "/run/tm",
		"%(here)s/state":        "/etc/tm/state",
		"%(here)s%(here)s":      "/etc/tm/etc/tm",
		"tm@%(host_node_name)s": "tm@" + host,
		"%(ENV_PLACE)s":         "/run/%(here)s", // a value is not expanded again
		"a%(ENV_EMPTY)sb":       "ab",
		"100%%":                 "100%",
		"%%(here)s":             "%(here)s",
		"%%%(here)s":            "%/etc/tm",
	} {
		if got, err := Setting(text, "/etc/tm/taskmaster.yaml"); err != nil || got != want {
			t.Errorf("%q: got %q, error %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"%":                 "a percent sign is written %%",
		"50% of it":         "a percent sign is written %%",
		"%(here)d":          "a percent sign is written %%",
		"%here)s":           "a percent sign is written %%",
		"%(program_name)s":  "%(program_name)s: unknown expansion",
		"%()s":              "%()s: unknown expansion",
		"%(ENV_NOT_THERE)s": "%(ENV_NOT_THERE)s: no such variable in the environment",
	} {
		if got, err := Setting(text, "taskmaster.yaml"); err == nil || err.Error() != want {
			t.Errorf("%q: got %q, error %v, want %q", text, got, err, want)
		}
	}
}
