package spec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func full() *Spec {
	ten, adj := 10, -5
	return &Spec{
		Name: "web:3", Program: "web", Num: 3, State: "/run/task master",
		Cmd: []string{"/bin/sh", "-c", "echo 100%\n", ""}, Env: []string{"A=", "B=x y=z", "C=é"},
		Dir: "/tmp", Umask: 0o22, User: &User{33, 44, []int{44, 55}}, NoNewPrivs: true,
		Stdout: Output{File, "/var/log/web log"}, Stderr: Output{Kind: SameAsOut},
		Limits: []Limit{{"nofile", 1024}, {"core", ^uint64(0)}}, Nice: &ten, OOMScoreAdj: &adj, Background: Follow, TimerSlack: 1234,
		Restart: Always, ExitCodes: []int{0, 2}, StartTime: 250 * time.Millisecond, StartRetries: 7,
		StopSignal: 10, StopTime: time.Minute, StopGroup: Group, BackoffFirst: time.Second, BackoffMax: time.Hour,
		Ready: Ready{Notify, 3, 5 * time.Second}, Watchdog: 30 * time.Second,
		Keys: []Key{{"cmd", "a b=c", true}, {"stoptime", "10s", false}, {"description", "", false}},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, want := range []*Spec{full(), func() *Spec {
		s := Default()
		s.Name, s.Cmd = "a:0", []string{"true"}
		return s
	}()} {
		text := want.Text()
		got, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := got.Read(text); err != nil {
			t.Fatal(err)
		}
		want.Keys, want.Sums = nil, SumsOf(want.Keys)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("as tmsupervise reads it: " + diff)
		}
	}
}

func TestSum(t *testing.T) {
	keys := full().Keys
	other := append([]Key{{"cmd", "a b=c d", true}}, keys[1:]...)
	policy := append([]Key{keys[0], {"stoptime", "11s", false}}, keys[2:]...)
	moved := []Key{{"cm", "da b=c", true}, keys[1], keys[2]}
	was := SumsOf(keys)
	for _, c := range []struct {
		keys        []Key
		all, launch bool // are the same
	}{{keys, true, true}, {other, false, false}, {policy, false, true}, {moved, false, false}, {nil, false, false}} {
		if same := SumsOf(c.keys).All == was.All; same != c.all {
			t.Errorf("%v: all the same: %v", c.keys, same)
		}
		if same := SumsOf(c.keys).Launch == was.Launch; same != c.launch {
			t.Errorf("%v: launch keys the same: %v", c.keys, same)
		}
	}
}

func TestBad(t *testing.T) {
	good := string(full().Text())
	for _, c := range []struct{ change, to, want string }{
		{"version 1", "version 2", "line 1: version 2, this program reads version 1"},
		{"name web:3\n", "", "line 1: name or cmd is missing"},
		{"umask 22", "umask 9", "line 11: umask: malformed value"},
		{"stopgroup group", "stopgroup all", "stopgroup: malformed value"},
		{"nice 10", "nice", "nice: malformed value"},
		{"user 33 44", "user -1 44", "user: malformed value"},
		{"user 33 44", "user 33 4294967295", "user: malformed value"},
		{"ready notify 3", "ready notify 2", "ready: malformed value"},
		{"ready notify 3", "ready notify 1024", "ready: malformed value"},
		{"timerslack 1234", "timerslack 0", "timerslack: malformed value"},
		{"cmd /bin/sh", "cmd /bin/%zz", "bad percent-encoding"},
		{"cmd /bin/sh", "cmd /bin/%00", "cmd: malformed value"},
	} {
		if !strings.Contains(good, c.change) {
			t.Fatalf("%q is not in the text", c.change)
		}
		_, err := Parse([]byte(strings.Replace(good, c.change, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.to, err, c.want)
		}
	}
	if _, err := Parse([]byte(good + "color blue\n")); err != nil {
		t.Errorf("an unknown key: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full().Text())
	f.Add([]byte("version 1\nname a:0\ncmd true\nenv %\nuser 1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.Text())
		if err != nil {
			t.Fatalf("own text does not parse: %v\n%s", err, s.Text())
		}
		if diff := cmp.Diff(s, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
