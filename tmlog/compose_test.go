package main

import (
	"strings"
	"testing"
	"time"
)

// How long a chunk of lines of the usual length takes to be stamped.
func BenchmarkCompose(b *testing.B) {
	data := []byte(strings.Repeat(strings.Repeat("x", 79)+"\n", chunk/80))
	c := composer{stamp: rfc3339, maxBytes: 10 << 20}
	var seen arrival
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		seen.look(len(data), time.Now())
		got := c.compose(data, &current{}, nil, &seen)
		seen.take(got.used)
	}
}
