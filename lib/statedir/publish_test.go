package statedir

import (
	"bytes"
	"path/filepath"
	"testing"
)

// A reader never sees a file half rewritten: Publish writes over the file of
// the time before last, which a slow reader may still hold open.
func TestPublishIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "status")
	contents := [][]byte{bytes.Repeat([]byte("a"), 3000), bytes.Repeat([]byte("b"), 40), bytes.Repeat([]byte("c"), 700)}
	if err := Publish(path, contents[0]); err != nil {
		t.Fatal(err)
	}
	over := make(chan error)
	go func() {
		var err error
		for i := 0; i < 5000 && err == nil; i++ {
			err = Publish(path, contents[i%len(contents)])
		}
		over <- err
	}()
	for {
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		text, err := ReadPublished(path, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) == 0 || len(text) != bytes.Count(text, text[:1]) || !bytes.Equal(text, contents[text[0]-'a']) {
			t.Fatalf("read %d bytes: %.20q ... %.20q", len(text), text, text[max(0, len(text)-20):])
		}
	}
}
