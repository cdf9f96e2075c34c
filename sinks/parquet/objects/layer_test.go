package objects_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

func TestLayer(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Store {
		return objects.Layer(open(t, t.TempDir()), open(t, t.TempDir()), "hidden/")
	})
}

// TestLayerNeverWritesBelow holds that what is below is seen, can be replaced
// and deleted, and stays as it is.
func TestLayerNeverWritesBelow(t *testing.T) {
	ctx := t.Context()
	below := open(t, t.TempDir())
	tags := map[string]string{}
	for _, key := range []string{"a", "b/1", "b/2", "c", "hidden/x"} {
		info, err := below.Create(ctx, key, []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		tags[key] = info.Tag
	}
	st := objects.Layer(open(t, t.TempDir()), below, "hidden/")
	want := func(key, text string) {
		t.Helper()
		got, _, err := st.Get(ctx, key)
		if text == "" && !errors.Is(err, fs.ErrNotExist) || text != "" && (err != nil || string(got) != text) {
			t.Errorf("%s is %q, %v, want %q", key, got, err, text)
		}
	}
	list := func(st objects.Store, want string) {
		t.Helper()
		var keys []string
		for info, err := range st.List(ctx, "") {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, info.Key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("there are %s, want %s", got, want)
		}
	}
	want("a", "a")
	want("hidden/x", "")
	if _, err := st.Create(ctx, "a", []byte("new")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create: %v", err)
	}
	if _, err := st.Create(ctx, "hidden/x", []byte("mine")); err != nil {
		t.Errorf("Create: %v", err)
	}
	if _, err := st.Replace(ctx, "a", []byte("new"), "another"); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("Replace: %v", err)
	}
	if _, err := st.Replace(ctx, "a", []byte("new"), tags["a"]); err != nil {
		t.Errorf("Replace: %v", err)
	}
	if _, err := st.Replace(ctx, "a", []byte("newer"), tags["a"]); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("Replace of what was replaced: %v", err)
	}
	if err := st.Remove(ctx, "c", tags["c"]); err != nil {
		t.Errorf("Remove: %v", err)
	}
	if err := st.Delete(ctx, "b/1"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	want("a", "new")
	want("b/1", "")
	want("b/2", "b/2")
	want("c", "")
	want("hidden/x", "mine")
	list(st, "a b/2 hidden/x")
	if _, err := st.Create(ctx, "b/1", []byte("again")); err != nil {
		t.Errorf("Create of what was deleted: %v", err)
	}
	want("b/1", "again")
	list(below, "a b/1 b/2 c hidden/x")
	if got, _, err := below.Get(ctx, "a"); err != nil || string(got) != "a" {
		t.Errorf("a is %q below, %v", got, err)
	}
}
