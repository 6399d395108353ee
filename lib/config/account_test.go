package config

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLocalAccount compares what Load finds of root with what id(1) says.
func TestLocalAccount(t *testing.T) {
	t.Parallel()
	byName := load(t, "programs: {a: {cmd: x, user: root}, b: {cmd: x, user: '0', group: 0}}").Programs
	out, err := exec.Command("id", "-G", "root").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range byName {
		u := p.Instances[0].User
		var groups []string
		for _, gid := range u.Groups {
			groups = append(groups, strconv.Itoa(gid))
		}
		want := strings.Fields(string(out))
		slices.Sort(groups)
		slices.Sort(want)
		if u.Name != "root" || u.UID != 0 || u.GID != 0 || u.Home == "" || !slices.Equal(groups, want) {
			t.Errorf("%s: root is %+v, but id says its groups are %v", p.Name, u, want)
		}
	}
	if changes := Diff(byName[0].Instances[0].Keys, byName[1].Instances[0].Keys); len(changes) > 0 {
		t.Errorf("root by name and by number differ: %+v", changes)
	}
}

func TestNotRoot(t *testing.T) {
	t.Parallel()
	path := write(t, "programs: {a: {cmd: x, user: root, group: root}}")
	o := testOptions()
	o.Root = false
	_, mistakes := Load(path, o)
	want := path + ":1:30: user: only root can run a program as another user\n" +
		path + ":1:43: group: only root can run a program as another group"
	if mistakes.Error() != want {
		t.Errorf("%v, want\n%s", mistakes, want)
	}
}

// TestStrangeAnswers shows that what getent(1) and id(1) say is not believed
// unread.
func TestStrangeAnswers(t *testing.T) {
	t.Parallel()
	path := write(t, "programs: {a: {cmd: x, user: nosuchuser}}")
	for _, answer := range []string{
		"", "\n", ":::::::", "nosuchuser", "nosuchuser:x:-1:0::/:/bin/sh", "nosuchuser:x:99999999999:0::/:/bin/sh",
		"nosuchuser:x:1:one::/:/bin/sh", "-G:x:1:1::/:/bin/sh",
	} {
		o := testOptions()
		o.Run = func(argv ...string) ([]byte, error) { return []byte(answer), nil }
		if _, mistakes := Load(path, o); len(mistakes) != 1 || !strings.HasSuffix(mistakes.Error(), `no user "nosuchuser"`) {
			t.Errorf("getent says %q: %v", answer, mistakes)
		}
	}
	o := testOptions()
	o.Run = nil
	if _, mistakes := Load(path, o); len(mistakes) != 1 {
		t.Errorf("without getent: %v", mistakes)
	}
}
