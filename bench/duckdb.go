package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// duckdbFigures runs the DuckDB sink's own benchmark, which needs what the
// package does not export.
func duckdbFigures(rows int) ([]figure, error) {
	cmd := exec.Command("go", "test", "-tags", "duckdb_arrow", "-run", "^$", "-bench", "BenchmarkSync/columns=32", "-benchtime", "1x", "-timeout", "60m", "./sinks/duckdb")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), fmt.Sprint("DEWPOINT_BENCH_ROWS=", rows))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	var all []figure
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 0 || !strings.HasPrefix(f[0], "BenchmarkSync/") {
			continue
		}
		m := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			if m[f[i+1]], err = strconv.ParseFloat(f[i], 64); err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
		}
		_, scopes, _ := strings.Cut(f[0], "scopes=")
		scopes, _, _ = strings.Cut(scopes, "-")
		all = append(all,
			figure{
				what: fmt.Sprintf("DuckDB, %d rows, %s scopes: its own insert from Arrow / ours", rows, scopes), value: m["view/insert"], unit: "x", limit: 0.85, least: true,
				note: fmt.Sprintf("%.1f µs a row; the kind's table alone", m["view-µs/row"]),
			},
			figure{what: "the whole first sync (staging, table, resources, edges, commit)", value: m["first/view"], unit: "x"})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s printed no figures:\n%s", cmd, out)
	}
	return all, nil
}
