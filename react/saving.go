package react

import (
	"context"
	"fmt"
)

// hoursOfMonth is a twelfth of a year.
const hoursOfMonth = 365 * 24 / 12.0

// savings is what resources cost a month, by _id, as far as prices are known.
func (s *planning) savings(ctx context.Context, ids []string) (map[string]float64, error) {
	out := map[string]float64{}
	if len(s.Settings.Prices) == 0 {
		return out, nil
	}
	ofVolumes, ofInstances := priceTable(s.Settings.Prices, "volume"), priceTable(s.Settings.Prices, "instance", "on-demand")
	err := chunked(ids, func(list string) error {
		rows, err := s.Estate.DB.QueryContext(ctx, fmt.Sprintf(`SELECT CAST(v._id AS VARCHAR), p.price * v.volume_size_bytes / 1073741824 FROM volumes v
			JOIN %[1]s p ON p.cloud = v.cloud AND p.region = v.region AND p.type = v.volume_type WHERE v._id IN (%[3]s)
			UNION ALL SELECT CAST(i._id AS VARCHAR), p.price * %[4]g FROM instances i
			JOIN %[2]s p ON p.cloud = i.cloud AND p.region = i.region AND p.type = i.instance_type
			WHERE i.instance_status = 'running' AND i._id IN (%[3]s)`, ofVolumes, ofInstances, list, hoursOfMonth))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var cost any
			if err := rows.Scan(&id, &cost); err != nil {
				return err
			}
			if cost == nil {
				continue
			}
			n, err := number(cost)
			if err != nil {
				return err
			}
			out[id] += n
		}
		return rows.Err()
	}, s.Estate.Dialect.uuids())
	if err != nil {
		return nil, fmt.Errorf("estimate the saving: %w", err)
	}
	return out, nil
}
