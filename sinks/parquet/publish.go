package parquet

import (
	"context"
	"errors"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/iceberg"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// publish writes what lets others than dewpoint find the files: views for
// DuckDB, definitions for other engines, tables in an Iceberg catalog. They
// follow the manifest.
func (m *commit) publish(ctx context.Context) error {
	err := m.writeDefinitions(ctx)
	m.t.unpublished = m.publishIceberg(ctx)
	return errors.Join(err, m.t.unpublished)
}

// publishTimeout bounds what a catalog may take.
const publishTimeout = 10 * time.Minute

// publishIceberg brings the tables of the Iceberg catalog to the new state.
func (m *commit) publishIceberg(ctx context.Context) error {
	sink := m.t.sink
	if sink.catalog == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
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
