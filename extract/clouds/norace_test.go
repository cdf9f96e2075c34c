//go:build !race

package clouds

const raceDetector = false
