package parquet

import (
	"context"
	"time"
)

// expireHistory removes the rows that ended before a time: whole files, and of
// others the rows where a good part of the file is old.
func (m *commit) expireHistory(ctx context.Context, before time.Time) error {
	var keep []fileEntry
	for _, f := range m.next.Files["resource_history"] {
		switch {
		case f.Until != nil && f.Until.Before(before):
			continue
		case f.Since != nil && f.Since.Before(before):
			files, err := m.copyHistory(ctx, []fileEntry{f}, func(until int64) bool { return until >= before.UnixMicro() })
			if err != nil {
				return err
			}
			for i := range files {
				since := before
				files[i].Since = &since
			}
			keep = append(keep, files...)
		default:
			keep = append(keep, f)
		}
	}
	m.next.Files["resource_history"] = keep
	return nil
}
