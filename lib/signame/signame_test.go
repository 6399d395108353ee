package signame

import (
	"syscall"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		"TERM": 15, "SIGTERM": 15, "term": 15, "SigUsr1": 10, "15": 15, "1": 1, "64": 64,
		"RTMIN": 34, "RTMIN+0": 34, "sigrtmin+3": 37, "RTMAX": 64, "RTMAX-1": 63, "RTMIN+30": 64,
	} {
		if got, ok := Parse(text); !ok || got != want {
			t.Errorf("Parse(%q) = %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "SIG", "0", "-1", "65", "TERMS", "SIGSIGTERM", "RTMIN-1", "RTMIN+31", "RTMIN3", "RTMAX+1", "RTMIN++1", "RTMIN+",
	} {
		if got, ok := Parse(text); ok {
			t.Errorf("Parse(%q) = %d, want none", text, got)
		}
	}
}

func TestOf(t *testing.T) {
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if back, ok := Parse(Of(sig)); !ok || back != sig {
			t.Errorf("signal %d is named %q, which is %d, %v", sig, Of(sig), back, ok)
		}
	}
	for sig, want := range map[syscall.Signal]string{9: "KILL", 34: "RTMIN", 37: "RTMIN+3", 33: "33", 99: "99"} {
		if got := Of(sig); got != want {
			t.Errorf("Of(%d) = %q, want %q", sig, got, want)
		}
	}
}

func TestAll(t *testing.T) {
	names := All()
	if len(names) != 31 || names[0] != "HUP" || names[30] != "SYS" {
		t.Errorf("All() = %q, want HUP to SYS", names)
	}
}
