//go:build race

package tmtest

// raceDetector: the test runs under it, and so does the tmd that it starts.
const raceDetector = true
