package snowflake

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
const samplesAtOnce = 1000

// KeepMetrics adds to the table metrics, which no sync writes to.
func (s *Sink) KeepMetrics(ctx context.Context, m sinks.Metrics) error {
	c, err := s.connect(ctx, "dewpoint metrics")
	if err != nil {
		return err
	}
	defer c.close()
	at := literal(m.MeasuredAt.UTC().Format("2006-01-02 15:04:05.000000+00:00")) + "::TIMESTAMP_TZ"
	queries := []string{"BEGIN"}
	for part := range slices.Chunk(m.Samples, samplesAtOnce) {
		var values []string
		for _, x := range part {
			labels, err := json.Marshal(x.Labels)
			if err != nil {
				return err
			}
			values = append(values, fmt.Sprintf("(%s, %s, %s)", literal(x.Name), literal(string(labels)), strconv.FormatFloat(x.Value, 'g', -1, 64)))
		}
		queries = append(queries, fmt.Sprintf("INSERT INTO metrics (name, labels, value, measured_at, sync_id) SELECT column1, PARSE_JSON(column2)::OBJECT, column3::FLOAT, %s, %s FROM VALUES %s",
			at, literal(m.SyncID), strings.Join(values, ", ")))
	}
	if m.Retention > 0 {
		queries = append(queries, fmt.Sprintf("DELETE FROM metrics WHERE measured_at < DATEADD(second, -%d, %s)", int64(m.Retention.Seconds()), at))
	}
	if err := c.transaction(ctx, append(queries, "COMMIT")); err != nil {
		return fmt.Errorf("keep metrics in %s: %w", s.URL(), s.clean(err))
	}
	return nil
}
