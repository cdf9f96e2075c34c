package snowflake

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// The narrow table holds what a sync read besides the rows themselves. WHAT
// says of each of its rows which of these it is, and which columns it has.
const (
	whatReading = "r" // a reading of a row: KIND, POS (-1: only the reading counts), ID, HASH, SCOPE, OWNER, UNREAD, OWN_SEEN
	whatUnseen  = "u" // a row of a known kind that was not reported: KIND, ID
	whatScope   = "s" // how a scope ended: KIND, SCOPE, NAME, PARENT, STATE
	whatEdge    = "e" // an edge of a staged row: KIND, POS, ID, TO_KIND, RELATION, MATCHES, ON_DELETE, TO_REF, ACCOUNT, REGION, NAME
	whatStands  = "t" // a row of scopes that stands: CLOUD, ACCOUNT, REGION, DOC (its mark)
	whatEnds    = "d" // a row of scopes that ends: CLOUD, ACCOUNT, REGION, KIND, PARENT, DOC (its mark, if it has no KIND)
	whatNew     = "n" // a new row of scopes: DOC
)

var (
	textColumn = arrow.BinaryTypes.String
	boolColumn = arrow.FixedWidthTypes.Boolean

	narrowSchema = arrow.NewSchema([]arrow.Field{
		{Name: "WHAT", Type: textColumn},
		{Name: "KIND", Type: textColumn, Nullable: true},
		{Name: "POS", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "ID", Type: textColumn, Nullable: true},
		{Name: "HASH", Type: textColumn, Nullable: true},
		{Name: "SCOPE", Type: textColumn, Nullable: true}, // 64 bits of its name, under the sync's seed
		{Name: "OWNER", Type: boolColumn, Nullable: true},
		{Name: "UNREAD", Type: boolColumn, Nullable: true},
		{Name: "OWN_SEEN", Type: boolColumn, Nullable: true},
		{Name: "NAME", Type: textColumn, Nullable: true},
		{Name: "PARENT", Type: textColumn, Nullable: true},
		{Name: "STATE", Type: textColumn, Nullable: true},
		{Name: "TO_KIND", Type: textColumn, Nullable: true},
		{Name: "RELATION", Type: textColumn, Nullable: true},
		{Name: "MATCHES", Type: textColumn, Nullable: true},
		{Name: "ON_DELETE", Type: textColumn, Nullable: true},
		{Name: "TO_REF", Type: textColumn, Nullable: true},
		{Name: "CLOUD", Type: textColumn, Nullable: true},
		{Name: "ACCOUNT", Type: textColumn, Nullable: true},
		{Name: "REGION", Type: textColumn, Nullable: true},
		{Name: "DOC", Type: textColumn, Nullable: true},
	}, nil)
)

// narrow writes the narrow table's rows to Parquet.
type narrow struct {
	files parquetFiles
	b     *array.RecordBuilder
	n     int
}

func newNarrow(dir, name string) *narrow {
	return &narrow{
		files: parquetFiles{dir: dir, name: name, schema: narrowSchema},
		b:     array.NewRecordBuilder(memory.DefaultAllocator, narrowSchema),
	}
}

// add enters a row: column names and values in turn.
func (w *narrow) add(what string, values ...any) error {
	w.b.Field(0).(*array.StringBuilder).Append(what)
	for i := 0; i < len(values); i += 2 {
		at := narrowSchema.FieldIndices(values[i].(string))[0]
		switch v := values[i+1].(type) {
		case string:
			w.b.Field(at).(*array.StringBuilder).Append(v)
		case int64:
			w.b.Field(at).(*array.Int64Builder).Append(v)
		case bool:
			w.b.Field(at).(*array.BooleanBuilder).Append(v)
		case nil:
		default:
			panic(fmt.Sprintf("snowflake: no narrow column of %T", v))
		}
	}
	w.n++
	for i := range narrowSchema.NumFields() {
		if w.b.Field(i).Len() < w.n {
			w.b.Field(i).AppendNull()
		}
	}
	if w.n < 16384 {
		return nil
	}
	return w.flush()
}

func (w *narrow) flush() error {
	if w.n == 0 {
		return nil
	}
	rec := w.b.NewRecordBatch()
	defer rec.Release()
	w.n = 0
	return w.files.write(rec)
}

// scopeText is the form of a scope's hash.
func scopeText(hash uint64) string { return fmt.Sprintf("%016x", hash) }

// addReadings enters the staged readings but those that can change nothing:
// another scope reports, unchanged, a row that its own scope reported too, as
// the table sightings says already. It returns how many it entered and, of the
// sightings, those that were confirmed.
func (t *tx) addReadings(w *narrow) (n int64, confirmed map[sighting]struct{}, err error) {
	confirmed = map[sighting]struct{}{}
	in := t.file.Readings()
	for in.Next() {
		rec := in.RecordBatch()
		kinds, pos := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Int64)
		ids, hashes := rec.Column(2).(*array.FixedSizeBinary), rec.Column(3).(*array.FixedSizeBinary)
		scopes := rec.Column(4).(*array.Uint64)
		owner, unread := rec.Column(5).(*array.Boolean), rec.Column(6).(*array.Boolean)
		for i := range kinds.Len() {
			k := t.Kinds()[kinds.Value(i)]
			seen := k.Known != nil && k.Known.Unchanged(ids.Value(i))
			s := sighting{k.Index, [16]byte(ids.Value(i)), scopes.Value(i)}
			if _, stands := t.known.sightings[s]; stands && seen && pos.Value(i) < 0 {
				confirmed[s] = struct{}{}
				continue
			}
			n++
			err := w.add(whatReading, "KIND", k.Name, "POS", pos.Value(i), "ID", uuid.UUID(ids.Value(i)).String(), "HASH", uuid.UUID(hashes.Value(i)).String(),
				"SCOPE", scopeText(scopes.Value(i)), "OWNER", owner.Value(i), "UNREAD", unread.Value(i), "OWN_SEEN", seen)
			if err != nil {
				return 0, nil, err
			}
		}
	}
	return n, confirmed, in.Err()
}

// addConfirmed enters readings that were left out, when others are not.
func (t *tx) addConfirmed(w *narrow, confirmed map[sighting]struct{}) error {
	for s := range confirmed {
		err := w.add(whatReading, "KIND", t.Kinds()[s.kind].Name, "POS", int64(-1), "ID", uuid.UUID(s.id).String(),
			"SCOPE", scopeText(s.scope), "OWNER", false, "UNREAD", false, "OWN_SEEN", true)
		if err != nil {
			return err
		}
	}
	return nil
}

// addUnseen enters the rows of a known kind that its scope did not report.
func (t *tx) addUnseen(w *narrow, k *stage.Kind) error {
	ids := t.known.ids[k.Index]
	for i := 0; i < len(ids); i += 16 {
		if id := ids[i : i+16]; !k.Known.Reported(id) {
			if err := w.add(whatUnseen, "KIND", k.Name, "ID", uuid.UUID(id).String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// addScopes enters how the scopes ended.
func (t *tx) addScopes(w *narrow) error {
	in := t.file.Scopes()
	for in.Next() {
		rec := in.RecordBatch()
		kinds, hashes := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Uint64)
		names, parents, states := rec.Column(2).(*array.String), rec.Column(6).(*array.String), rec.Column(7).(*array.String)
		for i := range kinds.Len() {
			var parent any
			if !parents.IsNull(i) {
				parent = parents.Value(i)
			}
			err := w.add(whatScope, "KIND", t.Kinds()[kinds.Value(i)].Name, "SCOPE", scopeText(hashes.Value(i)), "NAME", names.Value(i), "PARENT", parent, "STATE", states.Value(i))
			if err != nil {
				return err
			}
		}
	}
	return in.Err()
}

// addEdges enters the staged edges with their declarations.
func (t *tx) addEdges(w *narrow) (n int64, err error) {
	in := t.file.Edges()
	for in.Next() {
		rec := in.RecordBatch()
		kinds, pos := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Int64)
		ids, decl := rec.Column(2).(*array.FixedSizeBinary), rec.Column(3).(*array.Int32)
		refs, accounts := rec.Column(4).(*array.String), rec.Column(5).(*array.String)
		regions, scopes := rec.Column(6).(*array.String), rec.Column(7).(*array.String)
		for i := range kinds.Len() {
			k := t.Kinds()[kinds.Value(i)]
			e := stage.Declaration(k.Edges[decl.Value(i)])
			err := w.add(whatEdge, "KIND", k.Name, "POS", pos.Value(i), "ID", uuid.UUID(ids.Value(i)).String(), "TO_KIND", e.To, "RELATION", e.Relation,
				"MATCHES", string(e.Match), "ON_DELETE", string(e.OnDelete), "TO_REF", refs.Value(i),
				"ACCOUNT", accounts.Value(i), "REGION", regions.Value(i), "NAME", scopes.Value(i))
			if err != nil {
				return 0, err
			}
			n++
		}
	}
	return n, in.Err()
}
