// Command check checks the files of the catalogue.
//
//	go run ./extract/catalog/check [-dir folder] [-columns] [files or kinds...]
//
// It reads the files of all clouds and prints the problems of those named,
// or of all. With -columns it prints the columns of the kinds instead.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
)

func main() {
	os.Exit(run())
}

func run() int {
	columns := flag.Bool("columns", false, "print columns")
	dir := flag.String("dir", "extract", "the folder with a folder for each cloud")
	flag.Parse()
	start := time.Now()
	vendors := clouds.Vendors()
	for i, v := range vendors {
		folder := v.Cloud
		if folder == "kubernetes" {
			folder = "k8s"
		}
		vendors[i].Files = os.DirFS(filepath.Join(*dir, folder, "catalog"))
	}
	c, err := catalog.Load(vendors, catalog.Options{})
	var problems catalog.Problems
	if err != nil && !errors.As(err, &problems) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shown := 0
	for _, p := range problems {
		if flag.NArg() == 0 || slices.ContainsFunc(flag.Args(), func(f string) bool { return filepath.Base(f) == filepath.Base(p.File) }) {
			fmt.Println(p)
			shown++
		}
	}
	if *columns && c != nil {
		for _, e := range c.Entries() {
			if flag.NArg() == 0 || slices.ContainsFunc(flag.Args(), func(f string) bool {
				return filepath.Base(f) == filepath.Base(e.File) || strings.HasPrefix(e.Kind.Name, f)
			}) {
				fmt.Print(e.Columns())
			}
		}
	}
	fmt.Fprintf(os.Stderr, "%d problems in %v\n", shown, time.Since(start).Round(time.Millisecond))
	if shown > 0 {
		return 1
	}
	return 0
}
