package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/dewpoint-data/dewpoint/schema"
)

// kept keeps the rows of batches.
type kept struct {
	dropped
	mu   sync.Mutex
	recs []arrow.RecordBatch
}

// Write implements extract.Writer.
func (k *kept) Write(ctx context.Context, b *schema.Batch) error {
	b.Rows.Retain()
	k.mu.Lock()
	k.recs = append(k.recs, b.Rows)
	k.mu.Unlock()
	return k.dropped.Write(ctx, b)
}

// insertAlone returns the CPU seconds in which DuckDB itself enters the rows
// into a table of a file, without dewpoint's other tables, edges and hashes:
// no sync into DuckDB can take less.
func (k *kept) insertAlone(path string) (float64, error) {
	ctx := context.Background()
	connector, err := duckdbgo.NewConnector(path, func(c driver.ExecerContext) error {
		_, err := c.ExecContext(ctx, "SET threads = 1; SET preserve_insertion_order = false", nil)
		return err
	})
	if err != nil {
		return 0, err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r, err := array.NewRecordReader(k.recs[0].Schema(), k.recs)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	var release func()
	err = c.Raw(func(dc any) error {
		a, err := duckdbgo.NewArrowFromConn(dc.(driver.Conn))
		if err != nil {
			return err
		}
		release, err = a.RegisterView(r, "v")
		return err
	})
	if err != nil {
		return 0, err
	}
	defer release()
	begun := cpuSeconds()
	for _, q := range []string{"CREATE TABLE alone AS FROM v", "CHECKPOINT"} {
		if _, err := c.ExecContext(ctx, q); err != nil {
			return 0, err
		}
	}
	return cpuSeconds() - begun, nil
}
