package snowflake

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// TestOverlaysAreSwept holds that the schemas of a process that was killed go
// with the next sync, and those of one that lives, or may, do not.
func TestOverlaysAreSwept(t *testing.T) {
	url := server(t).NewSchema()
	s, err := Open(t.Context(), url, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	first, second := sinktest.Estate()[0], sinktest.Estate()[1]
	if _, err := first.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	o, err := s.Overlay(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// What plans are checked on is read as the estate is.
	db, err := o.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := sinktest.Query(db, "SELECT CURRENT_SCHEMA(), COUNT(*) > 0 FROM resources"); err != nil || rows[0][0] != o.(*overlay).name() || rows[0][1] != "true" {
		t.Errorf("the overlay is read as %s, %v", rows, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ended := exec.Command("true")
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	dead := holder(ended.Process.Pid)
	if err := ended.Wait(); err != nil {
		t.Fatal(err)
	}
	elsewhere := "process 1 on elsewhere (started 00000000-1)"
	for i, c := range []struct{ holder, age string }{{dead, "0"}, {elsewhere, "23"}, {elsewhere, "25"}} {
		name := fmt.Sprintf("DEWPOINT_APPLY_%s_%d", strings.ToUpper(s.cfg.driver.Schema), i)
		for _, q := range []string{"CREATE SCHEMA " + name, fmt.Sprintf("INSERT INTO dewpoint_overlays (name, holder, made_at) SELECT %s, %s, DATEADD(hour, -%s, CURRENT_TIMESTAMP())", literal(name), literal(c.holder), c.age)} {
			if _, err := s.db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
	}
	there := func(want ...string) {
		t.Helper()
		rows, err := sinktest.Query(s.db, "SELECT name FROM dewpoint_overlays ORDER BY name")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows {
			got = append(got, strings.TrimPrefix(r[0], "DEWPOINT_APPLY_"))
		}
		schemas, err := sinktest.Query(s.db, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN (SELECT name FROM dewpoint_overlays)")
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || schemas[0][0] != fmt.Sprint(len(want)) {
			t.Errorf("the overlays are %s in %s schemas, want %s", got, schemas[0][0], want)
		}
	}
	mine := strings.TrimPrefix(o.(*overlay).name(), "DEWPOINT_APPLY_")
	if _, err := second.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	alive := strings.ToUpper(s.cfg.driver.Schema) + "_1"
	if mine < alive {
		there(mine, alive)
	} else {
		there(alive, mine)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	there(alive)
}
