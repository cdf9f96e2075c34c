package stage

import (
	"strings"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// ProblemKey is what problems are counted by.
type ProblemKey struct{ Kind, Account, Region, Call, Column, Code string }

// ProblemCount is how often a problem came, with a sample of at most 200 bytes.
type ProblemCount struct {
	Count  int64
	Sample string
}

// Problems counts problems. Beyond maxProblems it counts by kind and code
// alone, so that it stays small whatever an answer holds.
type Problems map[ProblemKey]*ProblemCount

const (
	maxProblems = 20000
	maxSample   = 200
)

// Add counts a problem.
func (s Problems) Add(p schema.Problem) {
	key := ProblemKey{p.Kind, p.Account, p.Region, p.Call, p.Column, p.Code}
	c := s[key]
	if c == nil && len(s) >= maxProblems {
		key = ProblemKey{Kind: p.Kind, Code: p.Code}
		c = s[key]
	}
	if c == nil {
		c = &ProblemCount{Sample: cut(p.Sample, maxSample)}
		s[key] = c
	}
	c.Count += max(p.Count, 1)
}

func (s Problems) clone() Problems {
	c := make(Problems, len(s))
	for k, v := range s {
		n := *v
		c[k] = &n
	}
	return c
}

// Duplicate counts a row that came twice with different values.
func (s Problems) Duplicate(k *schema.Kind, id [16]byte) {
	s.Add(schema.Problem{Kind: k.Name, Code: "duplicate", Sample: "_id " + uuid.UUID(id).String()})
}

// cut makes text valid and at most n bytes long.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return CleanText(s)
}

// CleanText replaces what databases refuse in a text: NUL and what is no UTF-8.
func CleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}
