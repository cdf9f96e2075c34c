//go:build race

package clouds

const raceDetector = true
