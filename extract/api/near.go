package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// unknown is the error for a name that is not one of names, which have the
// prefix, if any, in front.
func unknown(what, name string, names []string, prefix ...string) error {
	bare := name
	if len(prefix) > 0 {
		bare = strings.TrimPrefix(name, prefix[0])
	}
	close := Near(bare, names)
	if len(close) == 0 {
		return fmt.Errorf("unknown %s %q", what, name)
	}
	return fmt.Errorf("unknown %s %q: did you mean %s?", what, name, strings.Join(close, ", "))
}

// Near returns up to three of names that are similar to name, the most
// similar first.
func Near(name string, names []string) []string {
	type candidate struct {
		name string
		dist int
	}
	var found []candidate
	low := squash(name)
	limit := max(2, len(low)/4)
	for _, n := range names {
		s := squash(n)
		d := Distance(low, s)
		if len(low) >= 3 && d > limit && (strings.Contains(s, low) || len(s) >= 3 && strings.Contains(low, s)) {
			d = limit
		}
		if d <= limit {
			found = append(found, candidate{n, d})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.dist, b.dist), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range found[:min(3, len(found))] {
		out = append(out, c.name)
	}
	return out
}

func squash(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// Distance is the number of bytes to insert, delete or replace to make one of
// the other.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(cost, row[j]+1, diag+1)
		}
	}
	return row[len(b)]
}
