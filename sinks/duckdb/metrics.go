package duckdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// samplesAtOnce is how many samples a statement enters.
const samplesAtOnce = 500

// KeepMetrics adds to the table metrics. The file is open for writing only
// meanwhile.
func (s *Sink) KeepMetrics(ctx context.Context, m sinks.Metrics) (err error) {
	if !s.exists() {
		return fmt.Errorf("%s holds no estate: run dewpoint sync first", s.URL())
	}
	c, err := s.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	queries := []string{"BEGIN"}
	at := literal(m.MeasuredAt.UTC().Format("2006-01-02 15:04:05.000000+00")) + "::TIMESTAMPTZ"
	for part := range slices.Chunk(m.Samples, samplesAtOnce) {
		var values []string
		for _, x := range part {
			labels, err := json.Marshal(x.Labels)
			if err != nil {
				return err
			}
			values = append(values, fmt.Sprintf("(%s, %s::JSON::MAP(VARCHAR, VARCHAR), %s, %s, %s::UUID)",
				literal(x.Name), literal(string(labels)), strconv.FormatFloat(x.Value, 'g', -1, 64), at, literal(m.SyncID)))
		}
		queries = append(queries, "INSERT INTO metrics (name, labels, value, measured_at, sync_id) VALUES "+strings.Join(values, ", "))
	}
	if m.Retention > 0 {
		queries = append(queries, fmt.Sprintf("DELETE FROM metrics WHERE measured_at < %s - INTERVAL '%d seconds'", at, int64(m.Retention.Seconds())))
	}
	for _, q := range append(queries, "COMMIT", "CHECKPOINT") {
		if err := c.exec(ctx, q); err != nil {
			return fmt.Errorf("keep metrics in %s: %w", s.URL(), err)
		}
	}
	return nil
}
