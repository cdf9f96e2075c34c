// Command bench prints what dewpoint costs against limits, as ratios of CPU
// time taken in one run on one machine: absolute times say little elsewhere.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// figure is one line of the table.
type figure struct {
	what  string
	value float64
	unit  string // x, MB
	limit float64
	// least says that the value must be at least the limit, not at most.
	least bool
	note  string
}

func (f figure) held() bool {
	if f.limit == 0 {
		return true
	}
	if f.least {
		return f.value >= f.limit
	}
	return f.value <= f.limit
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "load-parquet" {
		if err := loadParquet(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "kubernetes-read" {
		if err := kubernetesMain(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "compute-read" {
		if err := computeMain(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "postgres-sync" {
		if err := postgresSync(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "parquet-") {
		if err := parquetMain(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	bin := flag.String("dewpoint", "../bin/dewpoint", "the program to measure")
	small := flag.Int("small", 100_000, "instances of the smaller sync")
	large := flag.Int("large", 1_000_000, "instances of the larger sync")
	pods := flag.Int("pods", 50_000, "pods of the Kubernetes server")
	only := flag.String("only", "decode,compute,kubernetes,sync,duckdb,parquet,postgres,graph,react", "what to measure")
	flag.Parse()

	var figures []figure
	for _, part := range []struct {
		name string
		run  func() ([]figure, error)
	}{
		{"decode", decode},
		{"compute", func() ([]figure, error) { return computeFigures(*small) }},
		{"kubernetes", func() ([]figure, error) { return kubernetesFigures(*pods) }},
		{"sync", func() ([]figure, error) { return syncs(*bin, *small, *large) }},
		{"duckdb", func() ([]figure, error) { return duckdbFigures(*large) }},
		{"parquet", func() ([]figure, error) { return parquetFigures(*small, *large) }},
		{"postgres", func() ([]figure, error) { return postgresFigures(*small, *large) }},
		{"graph", func() ([]figure, error) { return graphFigures(*bin) }},
		{"react", func() ([]figure, error) { return reactFigures(*bin) }},
	} {
		if !strings.Contains(*only, part.name) {
			continue
		}
		f, err := part.run()
		if err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", part.name, err)
			os.Exit(1)
		}
		figures = append(figures, f...)
	}
	if !show(figures) {
		os.Exit(1)
	}
}

// show prints the table and says whether every limit is held.
func show(figures []figure) bool {
	ok := true
	fmt.Printf("%-64s %10s  %-12s %s\n", "figure", "value", "limit", "")
	for _, f := range figures {
		limit, verdict := "", ""
		if f.limit != 0 {
			sign := "<="
			if f.least {
				sign = ">="
			}
			limit = fmt.Sprintf("%s %.4g", sign, f.limit)
			verdict = "held"
			if !f.held() {
				verdict, ok = "NOT HELD", false
			}
		}
		fmt.Printf("%-64s %7.2f %-2s  %-12s %-8s %s\n", f.what, f.value, f.unit, limit, verdict, f.note)
	}
	return ok
}
