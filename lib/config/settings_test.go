package config

import "testing"

func TestLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:4242": true, "127.1.2.3:0": true, "[::1]:4242": true, "localhost:1": true, "LocalHost:1": true,
		"[::ffff:127.0.0.1]:1": true, "0.0.0.0:4242": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false,
		"localhost.example.org:1": false, "127.0.0.1": false, "": false, "::1:1": false, "[::1]": false, "127.0.0.1:x": false,
	} {
		if got := Loopback(address); got != want {
			t.Errorf("Loopback(%q) = %v, want %v", address, got, want)
		}
	}
}
