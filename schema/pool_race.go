//go:build race

package schema

const poisoned = true
