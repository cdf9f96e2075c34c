package duckdb

import (
	"strings"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// problemKey is what problems are counted by.
type problemKey struct{ kind, account, region, call, column, code string }

type problemCount struct {
	count  int64
	sample string
}

// problemSet counts problems. Beyond maxProblems it counts by kind and code
// alone, so that it stays small whatever an answer holds.
type problemSet map[problemKey]*problemCount

const (
	maxProblems = 20000
	maxSample   = 200
)

func (s problemSet) add(p schema.Problem) {
	key := problemKey{p.Kind, p.Account, p.Region, p.Call, p.Column, p.Code}
	c := s[key]
	if c == nil && len(s) >= maxProblems {
		key = problemKey{kind: p.Kind, code: p.Code}
		c = s[key]
	}
	if c == nil {
		c = &problemCount{sample: cut(p.Sample, maxSample)}
		s[key] = c
	}
	c.count += max(p.Count, 1)
}

func (s problemSet) clone() problemSet {
	c := make(problemSet, len(s))
	for k, v := range s {
		n := *v
		c[k] = &n
	}
	return c
}

// duplicate counts a row that came twice with different values.
func (s problemSet) duplicate(k *schema.Kind, id [16]byte) {
	s.add(schema.Problem{Kind: k.Name, Code: "duplicate", Sample: "_id " + uuid.UUID(id).String()})
}

// cut makes text valid and at most n bytes long.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return cleanText(s)
}

// cleanText replaces what DuckDB refuses in a text.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
