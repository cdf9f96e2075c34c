package react

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// judgeTags finds the resources whose tags are not as the policy says. The
// values that occur are judged once each, then the resources that have one
// that is wrong are read.
func (s *planning) judgeTags(ctx context.Context) (map[string]*match, error) {
	out := map[string]*match{}
	values, err := s.tagValues(ctx)
	if err != nil {
		return nil, err
	}
	known := s.policyKeys()
	var wrong []tagValue
	for _, v := range values {
		key := canonicalKey(known, v.key)
		if key == "" {
			continue
		}
		limit := s.limit(v.account, v.kind, key)
		if limit == nil {
			continue
		}
		v.verdict = limit.judge(v.value, s.now, s.isInstant(key))
		if v.key != key {
			// Only to rename it: a wrong value is corrected under its name.
			v.rename = key
		}
		if v.wrong != "" || v.rename != "" {
			wrong = append(wrong, v)
		}
	}
	if err := s.bearers(ctx, wrong, out); err != nil {
		return nil, err
	}
	if err := s.missing(ctx, out); err != nil {
		return nil, err
	}
	return out, nil
}

// tagValue is a value that resources of a kind in an account have.
type tagValue struct {
	account, kind, key, value string
	rename                    string
	verdict
}

// spellings are how else a key may be written.
type spellings struct {
	aliases []string
	typos   bool
}

// policyKeys are the keys of the policy.
func (s *planning) policyKeys() map[string]spellings {
	out := map[string]spellings{}
	for _, l := range s.rule.Policy {
		old := out[l.Key]
		out[l.Key] = spellings{append(old.aliases, l.Aliases...), old.typos || l.Typos}
	}
	return out
}

// canonicalKey is the key of the policy that a tag's key is, or is a spelling
// of: an alias, another letter case, or a single slip of the keyboard in a key
// of at least 5 letters. It is empty where there is none, or more than one.
func canonicalKey(known map[string]spellings, key string) string {
	if _, ok := known[key]; ok {
		return key
	}
	var found []string
	for k, other := range known {
		if slices.Contains(other.aliases, key) || strings.EqualFold(k, key) ||
			other.typos && utf8.RuneCountInString(k) >= 5 && slip(k, strings.ToLower(key)) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// slip says whether two texts differ by one letter that is wrong, missing or
// too many, or by two neighbours in the wrong order.
func slip(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y)-len(x) > 1 {
		return false
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	if len(x) < len(y) {
		return slices.Equal(x[i:], y[i+1:])
	}
	return i == len(x) || slices.Equal(x[i+1:], y[i+1:]) ||
		i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && slices.Equal(x[i+2:], y[i+2:])
}

func (s *planning) isInstant(key string) bool { return slices.Contains(s.Settings.ExpiresTags, key) }

// limit is the most specific limit for a key.
func (s *planning) limit(account, kind, key string) *TagLimit {
	var best *TagLimit
	for i := range s.rule.Policy {
		l := &s.rule.Policy[i]
		if l.Key != key || l.Accounts != "" && !fits(l.Accounts, account) || l.Kinds != "" && !fits(l.Kinds, kind) {
			continue
		}
		if best == nil || l.specific() >= best.specific() {
			best = l
		}
	}
	return best
}

// tagValues are the values of all keys that are, or are close to, one of the
// policy.
func (s *planning) tagValues(ctx context.Context) ([]tagValue, error) {
	keys, err := s.texts(ctx, "SELECT DISTINCT key FROM resource_tags")
	if err != nil {
		return nil, fmt.Errorf("read the keys of tags: %w", err)
	}
	known := s.policyKeys()
	var close []string
	for _, k := range keys {
		if canonicalKey(known, k[0]) != "" {
			close = append(close, k[0])
		}
	}
	slices.Sort(close)
	var out []tagValue
	for _, key := range close {
		value := s.Estate.Dialect.tag("tags", key)
		rows, err := s.texts(ctx, "SELECT DISTINCT account, kind, "+value+" FROM resources WHERE "+value+" IS NOT NULL")
		if err != nil {
			return nil, fmt.Errorf("read the values of tags: %w", err)
		}
		for _, r := range rows {
			out = append(out, tagValue{account: r[0], kind: r[1], key: key, value: r[2]})
		}
	}
	return out, nil
}

// bearers finds the resources that bear what is wrong.
func (s *planning) bearers(ctx context.Context, wrong []tagValue, out map[string]*match) error {
	byKey := map[string]map[tagValue]tagValue{}
	values := map[string][]string{}
	for _, v := range wrong {
		if byKey[v.key] == nil {
			byKey[v.key] = map[tagValue]tagValue{}
		}
		byKey[v.key][tagValue{account: v.account, kind: v.kind, value: v.value}] = v
		values[v.key] = append(values[v.key], v.value)
	}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		value := s.Estate.Dialect.tag("tags", key)
		slices.Sort(values[key])
		err := chunked(slices.Compact(values[key]), func(list string) error {
			rename := "''"
			for _, v := range byKey[key] {
				if v.rename != "" {
					rename = "coalesce(" + s.Estate.Dialect.tag("tags", v.rename) + ", '')"
				}
				break
			}
			rows, err := s.texts(ctx, "SELECT CAST(_id AS VARCHAR), account, kind, "+value+", "+rename+" FROM resources WHERE "+value+" IN ("+list+")")
			if err != nil {
				return fmt.Errorf("read the tags %s: %w", key, err)
			}
			for _, r := range rows {
				v, ok := byKey[key][tagValue{account: r[1], kind: r[2], value: r[3]}]
				if !ok {
					continue
				}
				m := v.correction(r[4])
				if old := out[r[0]]; old != nil {
					old.add(m)
				} else {
					out[r[0]] = m
				}
			}
			return nil
		}, each(s.Estate.text))
		if err != nil {
			return err
		}
	}
	return nil
}

// correction is what becomes of one resource with the value; there is what it
// has under the right key already.
func (v tagValue) correction(there string) *match {
	m := &match{set: map[string]string{}, evidence: map[string]string{v.key: v.value}}
	switch {
	case v.rename != "" && there != "":
		m.reason = fmt.Sprintf("%s is a spelling of %s, which is there as well: remove one", v.key, v.rename)
	case v.rename != "" && v.wrong != "" && v.fix == "":
		m.reason = fmt.Sprintf("%s is a spelling of %s, and %s", v.key, v.rename, v.wrong)
	case v.rename != "":
		m.reason = fmt.Sprintf("%s is a spelling of %s", v.key, v.rename)
		m.set[v.rename], m.remove = v.value, []string{v.key}
		if v.wrong != "" {
			m.reason += ", and " + v.wrong
			m.set[v.rename] = v.fix
		}
	default:
		m.reason = v.key + ": " + v.wrong
		if v.fix != "" {
			m.set[v.key] = v.fix
		}
	}
	return m
}

// missing finds the resources that lack a tag which is required.
func (s *planning) missing(ctx context.Context, out map[string]*match) error {
	var keys []string
	for _, l := range s.rule.Policy {
		if l.Required && !slices.Contains(keys, l.Key) {
			keys = append(keys, l.Key)
		}
	}
	for _, key := range keys {
		value := s.Estate.Dialect.tag("tags", key)
		places, err := s.texts(ctx, "SELECT DISTINCT account, kind FROM resources WHERE tags IS NOT NULL AND coalesce("+value+", '') = ''")
		if err != nil {
			return fmt.Errorf("find what lacks %s: %w", key, err)
		}
		for _, p := range places {
			l := s.limit(p[0], p[1], key)
			if l == nil || !l.Required || !s.Calls.Taggable(p[1]) || !matches(s.rule.Kinds, p[1]) || !matches(s.rule.Accounts, p[0]) {
				continue
			}
			rows, err := s.texts(ctx, "SELECT CAST(_id AS VARCHAR) FROM resources WHERE tags IS NOT NULL AND coalesce("+value+", '') = '' AND account = "+s.Estate.text(p[0])+" AND kind = "+s.Estate.text(p[1]))
			if err != nil {
				return fmt.Errorf("find what lacks %s: %w", key, err)
			}
			for _, r := range rows {
				old := out[r[0]]
				if old != nil && old.set[key] != "" {
					continue // a spelling of it is renamed
				}
				m := &match{reason: key + " is missing", set: map[string]string{}, evidence: map[string]string{}}
				if l.Default != "" && (old == nil || !strings.Contains(old.reason, "spelling of "+key)) {
					m.set[key] = l.Default
				}
				if old != nil {
					old.add(m)
				} else {
					out[r[0]] = m
				}
			}
		}
	}
	return nil
}

// texts runs a statement of text columns; NULL reads as empty.
func (s *planning) texts(ctx context.Context, q string) ([][]string, error) {
	rows, err := s.Estate.DB.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	values, ptrs := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		ptrs[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		line := make([]string, len(columns))
		for i, v := range values {
			line[i] = display(v)
		}
		out = append(out, line)
	}
	return out, rows.Err()
}
