//go:build !pausepoints

package main

// pause marks the places around a fork at which a test build stops itself to
// be killed; see pause_on.go.
func pause(string) {}
