package migrations

import "testing"

func TestLoadIsNumberedWithoutGaps(t *testing.T) {
	all, err := Load("duckdb")
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if m.Version != i+1 || m.Name == "" || m.SQL == "" {
			t.Errorf("migration %d is %+v", i+1, m)
		}
	}
	if _, err := Load("nonsense"); err == nil {
		t.Error("a dialect without a folder is no error")
	}
}
