package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// TestOverlaysAreSwept holds that the schemas of a process that was killed go
// with the next sync, and those of one that lives, or of somebody else, do
// not.
func TestOverlaysAreSwept(t *testing.T) {
	url := shared.url(t)
	s := newSink(t, url)
	first, second := sinktest.Estate()[0], sinktest.Estate()[1]
	if _, err := first.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	o, err := s.Overlay(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mine := o.(*overlay).cfg.schema
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	ended := exec.Command("true")
	if err := ended.Start(); err != nil {
		t.Fatal(err)
	}
	dead := maker{Host: host, PID: ended.Process.Pid, Process: processOf(ended.Process.Pid), At: time.Now()}
	if err := ended.Wait(); err != nil {
		t.Fatal(err)
	}
	dead.Process += "0" // another start, should the number be taken again
	for name, comment := range map[string]string{
		"dewpoint_apply_00000001": mustJSON(dead), "dewpoint_apply_00000001_staging": mustJSON(dead),
		"dewpoint_apply_00000002": mustJSON(maker{Host: "elsewhere", PID: 1, At: time.Now().Add(-time.Hour)}),
		"dewpoint_apply_00000003": mustJSON(maker{Host: "elsewhere", PID: 1, At: time.Now().Add(-25 * time.Hour)}),
		"dewpoint_apply_00000004": "a user's",
	} {
		if _, err := query(url, fmt.Sprintf("CREATE SCHEMA %s", name)); err != nil {
			t.Fatal(err)
		}
		if _, err := query(url, fmt.Sprintf("COMMENT ON SCHEMA %s IS %s", name, literal(comment))); err != nil {
			t.Fatal(err)
		}
	}
	there := func() string {
		t.Helper()
		rows, err := query(url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dewpoint_apply_0000000%' OR nspname LIKE '"+mine+"%' ORDER BY length(nspname), nspname")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(rows)
	}
	if _, err := second.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, want := there(), fmt.Sprintf("[[dewpoint_apply_00000002] [dewpoint_apply_00000004] [%s] [%s_staging]]", mine, mine); got != want && got != fmt.Sprintf("[[%s] [dewpoint_apply_00000002] [dewpoint_apply_00000004] [%s_staging]]", mine, mine) {
		t.Errorf("there are %s, want %s", got, want)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := there(), "[[dewpoint_apply_00000002] [dewpoint_apply_00000004]]"; got != want {
		t.Errorf("there are %s, want %s", got, want)
	}
}
