package natural

import (
	"slices"
	"testing"
)

func TestCompare(t *testing.T) {
	want := []string{"a", "a:0", "a:00", "a:1", "a:2", "a:10", "a:100", "a10", "b2c:3", "b2c:20", "b10c:1"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Compare)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
