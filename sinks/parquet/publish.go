package parquet

import (
	"context"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// publish writes what lets others than dewpoint find the files: views for
// DuckDB, definitions for other engines. They follow the manifest.
func (m *commit) publish(ctx context.Context) error {
	st := m.t.sink.store
	text, err := m.next.viewsSQL(m.t.sink)
	if err != nil {
		return err
	}
	return putText(st.Writer(ctx, "views.sql"), text)
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
