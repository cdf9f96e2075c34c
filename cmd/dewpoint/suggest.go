package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// suggest returns ": did you mean X?" for a word of the list that is near, or
// nothing.
func suggest(word string, list []string) string {
	if near := nearest(word, list); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

// nearest returns the word of a list with the fewest edits to a given one, if
// they are few for its length.
func nearest(word string, list []string) string {
	best, at := "", len(word)/3+1
	for _, w := range list {
		d := distance(strings.ToLower(word), strings.ToLower(w))
		if len(word) > 2 && strings.HasPrefix(w, word) {
			d = min(d, 1)
		}
		if d < at || d == at && best == "" {
			best, at = w, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between two words.
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}

// suggestFlag suggests a flag of a command for one that it does not know.
func suggestFlag(cmd *cobra.Command, err error) string {
	_, name, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "=")
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return suggest("--"+name, names)
}
