package react

import (
	"regexp"
	"slices"
	"strings"
)

var words = regexp.MustCompile(`"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*`)

// names are the tables and views of the estate that a statement names,
// sorted: every word of it that is one, wherever it stands. That is never too
// few, and a kind that is compared with is among them.
func (e *Estate) names(statement string) []string {
	var out []string
	for line := range strings.Lines(statement) {
		if strings.HasPrefix(line, "--") {
			continue
		}
		for _, w := range words.FindAllString(line, -1) {
			w = strings.ToLower(strings.ReplaceAll(strings.Trim(w, `"`), `""`, `"`))
			if e.tables[w] && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.Sort(out)
	return out
}
