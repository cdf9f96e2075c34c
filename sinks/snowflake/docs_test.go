package snowflake

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var queries = regexp.MustCompile("(?s)```snowflake\n(.*?)```")

// TestQueriesOfTheDocs runs the queries of the docs on an estate.
func TestQueriesOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/sinks/snowflake.md")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := openWire(t, server(t).NewSchema(), Options{})
	estate(t, s, 0, nil)
	n := 0
	for _, block := range queries.FindAllStringSubmatch(string(text), -1) {
		for _, q := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			n++
			if _, err := query(s.db, strings.TrimSuffix(q, ";")); err != nil {
				t.Errorf("%s: %v", q, err)
			}
		}
	}
	if n < 5 {
		t.Errorf("the docs have %d queries, want 5 at least", n)
	}
}
