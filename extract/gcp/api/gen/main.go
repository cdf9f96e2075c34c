// Gen writes the data that package api embeds: the descriptions of Google
// Cloud's APIs, trimmed from the discovery documents that ship in a pinned
// version of the module google.golang.org/api.
//
// The module is fetched with `go mod download`, which checks it; the program
// does not import it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/extract/api"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// source is the module with the discovery documents.
var source = module{
	path: "google.golang.org/api", version: "v0.309.0",
	sum: "h1:DXP86di4cL3R3R6aUrJNUNthav2djJ99QbSOrN63238=",
}

func main() {
	out := flag.String("out", ".", "folder to write to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes services.zip.
func run(out string) error {
	docs, err := source.documents()
	if err != nil {
		return err
	}
	man := gcpapi.Manifest{Source: source.path, Version: source.version, Sum: source.sum}
	var all []*api.Service
	for _, d := range selected(docs) {
		svc, err := convert(d)
		if err != nil {
			return fmt.Errorf("%s: %w", d.key(), err)
		}
		if len(svc.Operations) == 0 {
			continue
		}
		man.Services++
		man.Operations += len(svc.Operations)
		all = append(all, svc)
	}
	var buf bytes.Buffer
	if err := api.WriteArchive(&buf, man, all); err != nil {
		return err
	}
	fmt.Printf("%d services, %d operations: %d bytes compressed\n", man.Services, man.Operations, buf.Len())
	return os.WriteFile(filepath.Join(out, "services.zip"), buf.Bytes(), 0o644)
}
