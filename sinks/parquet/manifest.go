package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// The folders that are dewpoint's own; all others hold a table each.
const (
	ownFolder      = "_dewpoint/"
	manifestFolder = ownFolder + "manifests/"
	layoutFolder   = ownFolder + "layouts/"
	leaseFolder    = ownFolder + "leases/"
)

// format is the version of the manifests that this package writes.
const format = 1

// manifest names the files of all tables after one sync. The one with the
// highest number is the latest state; that it is created only where no other
// has its number is the commit.
type manifest struct {
	Format int   `json:"format"`
	Number int64 `json:"number"`
	// Sync is the id of the sync that wrote it.
	Sync      string    `json:"sync"`
	CreatedAt time.Time `json:"created_at"`
	// Layout is the key of the tables' definitions.
	Layout string `json:"layout"`
	// Files are those of each table, in order.
	Files map[string][]fileEntry `json:"files"`
}

// fileEntry names one file of a table.
type fileEntry struct {
	Key   string `json:"key"`
	Kind  string `json:"kind,omitempty"` // of the rows, in tables that are split by kind
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
	// Refers are the kinds that edges of the file name, Open is the number
	// of edges without a referent.
	Refers []string `json:"refers,omitempty"`
	Open   int64    `json:"open,omitempty"`
	// Since and Until are the oldest and the newest end of a history row.
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Columns are those of the file, where the table has gained others since.
	Columns int `json:"columns,omitempty"`
}

// catalogue is what the tables are made of, in an object of its own, since it
// seldom changes.
type catalogue struct {
	Kinds []*storedKind `json:"kinds"`
	// Views are the former names of kinds.
	Views map[string]string `json:"views,omitempty"`
}

// storedKind is a kind that has a table.
type storedKind struct {
	Name            string          `json:"kind"`
	Key             string          `json:"key"`
	Cloud           string          `json:"cloud,omitempty"`
	Service         string          `json:"service,omitempty"`
	KeyScope        schema.KeyScope `json:"key_scope,omitempty"`
	Renamed         []string        `json:"renamed,omitempty"`
	Definition      string          `json:"definition"`
	DefinitionSince time.Time       `json:"definition_since"`
	Doc             string          `json:"doc,omitempty"`
	Layout          string          `json:"layout"`
	Parent          string          `json:"parent,omitempty"`
	Base            *schema.Base    `json:"base,omitempty"`
	Edges           []schema.Edge   `json:"edges,omitempty"`
	Columns         []storedColumn  `json:"columns"`
}

// storedColumn is a column of a kind's table.
type storedColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Doc  string `json:"doc,omitempty"`
	// Path, Call and Volatile are those of the declaration.
	Path     string `json:"path,omitempty"`
	Call     string `json:"call,omitempty"`
	Volatile bool   `json:"volatile,omitempty"`
	// Since is when the column entered the definition, or left it.
	Since time.Time `json:"since"`
	Left  bool      `json:"left,omitempty"`
}

func (k *storedKind) column(name string) *storedColumn {
	for i := range k.Columns {
		if k.Columns[i].Name == name {
			return &k.Columns[i]
		}
	}
	return nil
}

// columns are the table's columns in order.
func (k *storedKind) columns() []schema.Column {
	cols := make([]schema.Column, len(k.Columns))
	for i, c := range k.Columns {
		cols[i] = schema.Column{Name: c.Name, Type: typeNamed(c.Type), Doc: c.Doc}
	}
	return cols
}

// typeNamed is the type with a name, 0 if there is none.
func typeNamed(name string) (t schema.Type) {
	_ = t.UnmarshalText([]byte(name))
	return t
}

func (c *catalogue) byKey(key string) *storedKind {
	for _, k := range c.Kinds {
		if k.Key == key {
			return k
		}
	}
	return nil
}

func (c *catalogue) byName(name string) *storedKind {
	for _, k := range c.Kinds {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// state is a manifest and its catalogue.
type state struct {
	manifest
	cat catalogue
}

func manifestKey(number int64) string { return fmt.Sprintf("%s%010d.json", manifestFolder, number) }

// manifestNumber is the number of a manifest's key, 0 if it is none.
func manifestNumber(key string) int64 {
	name, ok := strings.CutPrefix(key, manifestFolder)
	if !ok {
		return 0
	}
	name, ok = strings.CutSuffix(name, ".json")
	if !ok || len(name) != 10 {
		return 0
	}
	n, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// manifests lists the numbers of the manifests that are there, in order.
func manifests(ctx context.Context, st objects.Store) ([]int64, error) {
	var all []int64
	for info, err := range st.List(ctx, manifestFolder) {
		if err != nil {
			return nil, fmt.Errorf("list the manifests of %s: %w", st.URL(), err)
		}
		if n := manifestNumber(info.Key); n > 0 {
			all = append(all, n)
		}
	}
	return all, nil
}

// loadLatest reads the newest manifest; the state of an estate that is not
// there yet has the number 0.
func loadLatest(ctx context.Context, st objects.Store) (*state, error) {
	for range 5 {
		all, err := manifests(ctx, st)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return &state{manifest: manifest{Format: format, Files: map[string][]fileEntry{}}}, nil
		}
		s, err := loadState(ctx, st, all[len(all)-1])
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		// It was superseded and swept in between.
	}
	return nil, fmt.Errorf("the manifests of %s vanish while they are read", st.URL())
}

func loadState(ctx context.Context, st objects.Store, number int64) (*state, error) {
	s := &state{}
	if err := getJSON(ctx, st, manifestKey(number), &s.manifest); err != nil {
		return nil, err
	}
	if s.Format > format {
		return nil, fmt.Errorf("%s was written by a newer dewpoint (its manifests have format %d, this one knows %d): upgrade dewpoint", st.URL(), s.Format, format)
	}
	if s.Files == nil {
		s.Files = map[string][]fileEntry{}
	}
	if err := getJSON(ctx, st, s.Layout, &s.cat); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.cat.Kinds, func(k *storedKind) bool { return k.Cloud != "" }) {
		for i := range s.Files["kinds"] {
			s.Files["kinds"][i].Columns = kindColumnsBefore
		}
	}
	return s, nil
}

// kindColumnsBefore are the columns of the table kinds of an estate that did
// not remember clouds and declarations.
const kindColumnsBefore = 9

func getJSON(ctx context.Context, st objects.Store, key string, v any) error {
	b, _, err := st.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s of %s: %w", key, st.URL(), err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s of %s is damaged: %w", key, st.URL(), err)
	}
	return nil
}

// writeLayout writes the catalogue under a key that its text decides, unless
// it is there.
func writeLayout(ctx context.Context, st objects.Store, c *catalogue, sync string) (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	key := layoutFolder + schema.HashDefinition(string(b)) + "-" + sync + ".json"
	if _, err := st.Create(ctx, key, b); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("write %s: %w", key, err)
	}
	return key, nil
}

// commitManifest makes a state the latest. It fails where another sync has
// taken its number.
func commitManifest(ctx context.Context, st objects.Store, m *manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = st.Create(ctx, manifestKey(m.Number), append(b, '\n'))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return &sinks.LockedError{URL: st.URL(), Holder: "another sync that committed first", Err: err}
	case objects.Unknown(err):
		return &sinks.CommitUnknownError{Err: err}
	}
	return fmt.Errorf("write the manifest of %s: %w", st.URL(), err)
}

// rows is the number of rows of a table, of one kind if that is not empty.
func (m *manifest) rows(table, kind string) int64 {
	var n int64
	for _, f := range m.Files[table] {
		if kind == "" || f.Kind == kind {
			n += f.Rows
		}
	}
	return n
}

// of returns the files of a table with rows of a kind.
func (m *manifest) of(table, kind string) []fileEntry {
	var files []fileEntry
	for _, f := range m.Files[table] {
		if f.Kind == kind {
			files = append(files, f)
		}
	}
	return files
}

// set replaces the files of a table with rows of a kind.
func (m *manifest) set(table, kind string, files []fileEntry) {
	rest := slices.DeleteFunc(slices.Clone(m.Files[table]), func(f fileEntry) bool { return f.Kind == kind })
	rest = append(rest, files...)
	slices.SortStableFunc(rest, func(a, b fileEntry) int { return strings.Compare(a.Kind, b.Kind) })
	m.Files[table] = rest
}
