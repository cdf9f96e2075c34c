package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// samplesAtOnce is how many samples a statement enters.
const samplesAtOnce = 500

// KeepMetrics adds to the table metrics, which no sync writes to.
func (s *Sink) KeepMetrics(ctx context.Context, m sinks.Metrics) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	at := literal(m.MeasuredAt.UTC().Format("2006-01-02 15:04:05.000000+00")) + "::timestamptz"
	err = c.transaction(ctx, func() error {
		for part := range slices.Chunk(m.Samples, samplesAtOnce) {
			var values []string
			for _, x := range part {
				labels, err := json.Marshal(x.Labels)
				if err != nil {
					return err
				}
				values = append(values, fmt.Sprintf("(%s, %s::jsonb, %s, %s, %s::uuid)",
					literal(x.Name), literal(string(labels)), strconv.FormatFloat(x.Value, 'g', -1, 64), at, literal(m.SyncID)))
			}
			if err := c.exec(ctx, "INSERT INTO metrics (name, labels, value, measured_at, sync_id) VALUES "+strings.Join(values, ", ")); err != nil {
				return err
			}
		}
		if m.Retention == 0 {
			return nil
		}
		return c.exec(ctx, fmt.Sprintf("DELETE FROM metrics WHERE measured_at < %s - %s", at, interval(m.Retention)))
	})
	if err != nil {
		return fmt.Errorf("keep metrics in %s: %w", s.URL(), err)
	}
	return nil
}
