//go:build race

package normalize

const poisoned = true
