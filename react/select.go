package react

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// match is a row that the rule selected.
type match struct {
	reason              string
	evidence            map[string]string
	timed               bool // the row has a column expires or expiration
	expires, expiration string
	schedule            string // the text of a tag
	set                 map[string]string
	remove              []string
}

var errUndeclared = errors.New("not declared")

// selectRows runs the rule's statement.
func (s *planning) selectRows(ctx context.Context) (map[string]*match, error) {
	q, err := s.Estate.render(s.rule.Name, s.rule.SQL, s.now, s.Settings, s.rule)
	if err != nil {
		return nil, err
	}
	for _, name := range s.Estate.names(q) {
		if !slices.Contains(s.rule.Reads, name) && !slices.Contains(s.rule.Absent, name) && !slices.Contains(s.rule.Kinds, name) {
			return nil, fmt.Errorf("its SQL names %s, which reads does not list: %w", name, errUndeclared)
		}
	}
	rows, err := s.Estate.DB.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i] = strings.ToLower(columns[i])
	}
	if !slices.Contains(columns, "_id") || !slices.Contains(columns, "reason") {
		return nil, errors.New("its SQL must select _id and reason")
	}
	timed := slices.Contains(columns, "expires") || slices.Contains(columns, "expiration")
	values, ptrs := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		ptrs[i] = &values[i]
	}
	out := map[string]*match{}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		m := &match{evidence: map[string]string{}, set: map[string]string{}, timed: timed}
		uid, key, value := "", "", ""
		for i, c := range columns {
			text := display(values[i])
			switch c {
			case "_id":
				if uid, err = uuidText(values[i]); err != nil {
					return nil, err
				}
			case "reason":
				m.reason = text
			case "expires":
				m.expires = text
			case "expiration":
				m.expiration = text
			case "schedule":
				m.schedule = text
			case "set_key":
				key = text
			case "set_value":
				value = text
			case "remove_key":
				if text != "" {
					m.remove = append(m.remove, text)
				}
			default:
				if text != "" {
					m.evidence[c] = text
				}
			}
		}
		if key != "" {
			m.set[key] = value
		}
		if old := out[uid]; old != nil {
			old.add(m)
			continue
		}
		out[uid] = m
	}
	return out, rows.Err()
}

// add joins another row of the same resource.
func (m *match) add(o *match) {
	if !strings.Contains(m.reason, o.reason) {
		m.reason += "; " + o.reason
	}
	maps.Copy(m.set, o.set)
	for _, k := range o.remove {
		if !slices.Contains(m.remove, k) {
			m.remove = append(m.remove, k)
		}
	}
}

// uuidText is an _id in text form, as whatever a driver returns it.
func uuidText(v any) (string, error) {
	switch x := v.(type) {
	case []byte:
		if len(x) == 16 {
			return uuid.UUID(x).String(), nil
		}
		v = string(x)
	case [16]byte:
		return uuid.UUID(x).String(), nil
	}
	id, err := uuid.Parse(fmt.Sprint(v))
	if err != nil {
		return "", fmt.Errorf("_id is %v: %w", v, err)
	}
	return id.String(), nil
}
