// Command gen writes the files of the dashboards that tools read as they
// stand. It runs in dashboards by go generate.
package main

import (
	"log"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/dashboards/grafana"
	"github.com/dewpoint-data/dewpoint/dashboards/superset"
)

func main() {
	log.SetFlags(0)
	files, err := superset.Files(superset.Default)
	if err == nil {
		err = write("superset/assets", files)
	}
	if err != nil {
		log.Fatal(err)
	}
	if files, err = grafana.Dashboards(grafana.Default); err == nil {
		err = write("grafana/dashboards", files)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// write replaces a folder by files.
func write(dir string, files map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
