//go:build !race

package tmtest

const raceDetector = false
