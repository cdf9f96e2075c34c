package sinktest

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-cmp/cmp"
)

var estateCases = []testCase{
	{"SameRowsInEverySink", testEstate},
}

// testEstate compares an estate after each of its syncs with what every other
// sink has, value by value. DEWPOINT_TEST_UPDATE=1 writes what the sink has.
func testEstate(h *harness) {
	for i, e := range Estate() {
		if _, err := e.Run(h.Context(), h.sink); err != nil {
			h.Fatalf("sync %d: %v", i+1, err)
		}
		got, err := Dump(h.target, e.Kinds())
		if err != nil {
			h.Fatal(err)
		}
		name := filepath.Join("..", "sinktest", "testdata", "estate"+string(rune('1'+i))+".txt")
		if os.Getenv("DEWPOINT_TEST_UPDATE") != "" {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				h.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			h.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			if len(d) > 10_000 {
				d = d[:10_000] + "\n..."
			}
			h.Errorf("after sync %d (-want +got):\n%s", i+1, d)
		}
	}
}
