package snowflake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// external opens the bucket behind the user's stage, nil where the stage is
// an internal one, which PUT writes to.
func (m *commit) external(ctx context.Context) (objects.Store, error) {
	if m.bucket != nil || m.internal {
		return m.bucket, nil
	}
	name := m.t.sink.cfg.stage
	parts := strings.Split(name, ".")
	query := "SHOW STAGES LIKE " + literal(parts[len(parts)-1])
	if len(parts) > 1 {
		query += " IN SCHEMA " + strings.Join(parts[:len(parts)-1], ".")
	}
	rows, err := m.c.QueryContext(m.context(ctx), query)
	if err != nil {
		return nil, m.explain(err, query)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	found, bucket := false, ""
	for rows.Next() {
		vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		found = true
		for i, c := range cols {
			if s, ok := vals[i].(string); ok && strings.EqualFold(c, "url") {
				bucket = s
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("stage %s is not there or not granted: create it, or leave stage= out of the URL", name)
	}
	if bucket == "" {
		m.internal = true
		return nil, nil
	}
	m.bucket, err = objects.Open(ctx, bucket)
	if err != nil {
		return nil, fmt.Errorf("the bucket of stage %s: %w", name, err)
	}
	return m.bucket, nil
}

// copyTo writes a file into a folder of the bucket.
func (m *commit) copyTo(ctx context.Context, path, folder string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	key := folder + "/" + filepath.Base(path)
	w := m.bucket.Writer(ctx, key)
	if _, err := io.Copy(w, f); err != nil {
		w.Abort()
		return err
	}
	_, err = w.Commit()
	m.copied = append(m.copied, key)
	return err
}

// closeBucket ends the use of an external stage and removes what was copied to
// it.
func (m *commit) closeBucket(ctx context.Context) error {
	if m.bucket == nil {
		return nil
	}
	return errors.Join(m.bucket.Delete(ctx, m.copied...), m.bucket.Close())
}
