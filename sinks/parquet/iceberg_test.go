//go:build iceberg

package parquet

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/iceberg/icebergtest"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// The Iceberg tables have the rows of the views, on disk and in a bucket.
func TestIcebergTablesShowTheEstate(t *testing.T) {
	address := icebergtest.StartCatalog(t)
	s3 := objectstest.StartS3(t)
	reader := icebergtest.StartReader(t)
	for name, place := range map[string]string{"disk": "parquet:" + filepath.Join(t.TempDir(), "estate") + "?", "bucket": s3.URL() + "&"} {
		t.Run(name, func(t *testing.T) {
			place += "format=iceberg&namespace=" + name + "&catalog=" + address
			sink, err := Open(t.Context(), place, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			props := map[string]string{
				"s3.endpoint": s3.Endpoint, "s3.access-key-id": objectstest.AccessKey, "s3.secret-access-key": objectstest.SecretKey, "s3.region": s3.Region,
			}
			for i, s := range sinktest.Estate() {
				if _, err := s.Run(t.Context(), sink); err != nil {
					t.Fatal(err)
				}
				latest, err := loadLatest(t.Context(), sink.store)
				if err != nil {
					t.Fatal(err)
				}
				for _, table := range latest.tables() {
					var want int64
					for _, f := range latest.Files[table] {
						want += f.Rows
					}
					got := reader.Show(address, name, table, props)
					if int64(len(got.Rows)) != want {
						t.Errorf("sync %d: %s has %d rows in Iceberg, %d in the manifest", i, table, len(got.Rows), want)
					}
					if len(got.Columns) != len(latest.tableColumns(table)) {
						t.Errorf("sync %d: %s has the columns %v in Iceberg", i, table, got.Columns)
					}
					if table == "syncs" && (len(got.Syncs) != i+1 || got.Syncs[i] != latest.Sync) {
						t.Errorf("sync %d: snapshots of the syncs %v", i, got.Syncs)
					}
				}
			}
		})
	}
}

// A catalog that refuses a publication does not undo the commit, and is told
// everything by the next one.
func TestIcebergCatchesUp(t *testing.T) {
	address := icebergtest.StartCatalog(t)
	down := true
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, address+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	defer proxy.Close()
	sink, err := Open(t.Context(), "parquet:"+t.TempDir()+"?retention=0&format=iceberg&catalog="+proxy.URL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	sync := func() sinks.Summary {
		t.Helper()
		tx, err := sink.Begin(t.Context(), sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: time.Now(), Kinds: []*schema.Kind{}})
		if err != nil {
			t.Fatal(err)
		}
		sum, err := tx.Commit(t.Context(), sinks.Outcome{FinishedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	finding := func() sinks.Finding {
		all := sink.Check(t.Context())
		return all[len(all)-1]
	}
	if f := finding(); f.Level != sinks.Notice || !strings.Contains(f.Text, proxy.URL) {
		t.Errorf("finding: %+v", f)
	}
	if sum := sync(); len(sum.Notices) != 1 || !strings.Contains(sum.Notices[0], "the next sync brings them up to date") {
		t.Errorf("notices: %q", sum.Notices)
	}
	if latest, err := loadLatest(t.Context(), sink.store); err != nil || latest.Number != 1 {
		t.Errorf("the latest manifest: %v, %v", latest, err)
	}
	down = false
	if f := finding(); f.Level != sinks.Fine {
		t.Errorf("finding: %+v", f)
	}
	if sum := sync(); len(sum.Notices) != 0 {
		t.Errorf("notices: %q", sum.Notices)
	}
	if got := icebergtest.StartReader(t).Show(address, "dewpoint", "syncs", map[string]string{}); len(got.Rows) != 2 {
		t.Errorf("syncs: %v", got.Rows)
	}
}

func TestIcebergParameters(t *testing.T) {
	for query, want := range map[string]string{
		"format=delta":                        "format=delta is not known: use parquet or iceberg",
		"format=iceberg":                      "no catalog is named",
		"format=iceberg&catalog=ftp://h/":     "must be an address",
		"catalog=https://h/":                  "there is no parameter catalog for a directory",
		"format=iceberg&catalog=https://h/&x": "there is no parameter x",
	} {
		_, err := Open(t.Context(), fmt.Sprintf("parquet:%s?%s", t.TempDir(), query), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}
