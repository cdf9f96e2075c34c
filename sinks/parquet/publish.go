package parquet

import (
	"context"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/iceberg"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// publish writes what lets others than dewpoint find the files: views for
// DuckDB, definitions for other engines, tables in an Iceberg catalog. They
// follow the manifest.
func (m *commit) publish(ctx context.Context) error {
	st := m.t.sink.store
	text, err := m.next.viewsSQL(m.t.sink)
	if err != nil {
		return err
	}
	if err := putText(st.Writer(ctx, "views.sql"), text); err != nil {
		return err
	}
	m.t.unpublished = m.publishIceberg(ctx)
	return m.t.unpublished
}

// publishIceberg brings the tables of the Iceberg catalog to the new state.
func (m *commit) publishIceberg(ctx context.Context) error {
	sink := m.t.sink
	if sink.catalog == nil {
		return nil
	}
	s := iceberg.State{Sync: m.next.Sync, Retention: sink.retention}
	for _, name := range m.next.tables() {
		t := iceberg.Table{Name: name, Doc: m.next.docOf(name), Columns: m.next.tableColumns(name)}
		for _, f := range m.next.Files[name] {
			t.Files = append(t.Files, iceberg.File{Key: f.Key})
		}
		s.Tables = append(s.Tables, t)
	}
	return sink.catalog.Publish(ctx, s)
}

func putText(w objects.Writer, text string) error {
	defer w.Abort()
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	_, err := w.Commit()
	return err
}

// viewsSQL are the views of DuckDB over the latest state.
func (s *state) viewsSQL(sink *Sink) (string, error) {
	root := sink.URL() + "/"
	if sink.local != "" {
		root = sink.local + "/"
	}
	defs, err := s.duckdbViews(func(key string) string { return root + key })
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- Views over the estate in %s as of sync %s. Written by dewpoint after every sync.\n", sink.URL(), s.Sync)
	for _, d := range defs {
		b.WriteString(d.sql + ";\n")
		if d.doc != "" {
			fmt.Fprintf(&b, "COMMENT ON VIEW %s IS %s;\n", duckdb.Ident(d.name), duckdb.Literal(d.doc))
		}
	}
	return b.String(), nil
}
