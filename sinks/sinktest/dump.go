package sinktest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Dump returns all rows that a target holds of some kinds and of dewpoint's
// own tables, as text that is the same for the same rows in every sink: a line
// per row, tables and lines sorted. What depends on the clock or the store is
// left out: durations and the tables of the store's own making.
func Dump(t Target, kinds []*schema.Kind) (string, error) {
	var b strings.Builder
	byName := map[string]*schema.Kind{}
	for _, k := range slices.SortedFunc(slices.Values(kinds), func(a, b *schema.Kind) int { return strings.Compare(a.Name, b.Name) }) {
		byName[k.Name] = k
		names := make([]string, 0, len(schema.Unified)+len(k.Columns))
		for _, c := range k.TableColumns() {
			names = append(names, c.Name)
		}
		if err := t.dumpTable(&b, k.Name, names, nil); err != nil {
			return "", err
		}
	}
	for _, own := range ownColumns {
		table, names := own[0], own[1:]
		var edit func(row []string)
		if table == "resource_history" {
			edit = func(row []string) { row[4] = document(byName[row[1]], row[4]) }
		}
		if err := t.dumpTable(&b, table, names, edit); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// ownColumns are dewpoint's own tables and views, each with its columns.
var ownColumns = [][]string{
	{
		"resources", "_id", "id", "name", "kind", "tags", "created_at", "updated_at", "cloud", "account", "region", "urn", "_scope", "_hash", "_unread", "_sync_id", "base",
	},
	{"edges", "from_id", "from_kind", "relation", "to_kind", "to_ref", "to_id", "resolution", "on_delete", "_scope"},
	{"sightings", "_id", "kind", "_scope"},
	{"resource_history", "_id", "kind", "change", "changed_columns", "doc", "valid_from", "valid_to"},
	{
		"syncs", "id", "started_at", "finished_at", "version", "state", "kinds", "scopes", "incomplete", "rows", "new", "changed", "gone", "unchanged", "unread", "problems",
	},
	{
		"scopes", "sync_id", "cloud", "account", "region", "kind", "parent", "state", "kinds", "scopes", "rows", "calls", "error", "code", "request_id", "definition_hash", "last_complete",
	},
	{"problems", "sync_id", "kind", "account", "region", "call", "column", "code", "count", "sample"},
	{"kinds", "kind", "key", "definition", "definition_since", "parent", "cloud"},
	{"resource_tags", "_id", "key", "value"},
	{"scope_freshness", "cloud", "account", "region", "kind", "state", "last_complete"},
	{"instances", "_id", "id", "kind", "instance_type", "instance_status", "instance_cores", "instance_memory_bytes"},
}

func (t *Target) dumpTable(b *strings.Builder, table string, columns []string, edit func(row []string)) error {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = t.ident(c)
	}
	query := "SELECT " + strings.Join(quoted, ", ") + " FROM " + t.ident(table)
	rows, err := t.Query(query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		if edit != nil {
			edit(r)
		}
		for j, v := range r {
			r[j] = short(v)
		}
		lines[i] = strings.Join(r, "\t")
	}
	slices.Sort(lines)
	fmt.Fprintf(b, "== %s\n%s\n", table, strings.Join(columns, "\t"))
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return nil
}

// short is a value on one line; of a long one, what identifies it.
func short(v string) string {
	if len(v) > 2000 {
		return fmt.Sprintf("%d bytes with the hash %x", len(v), sha256.Sum256([]byte(v)))
	}
	var b strings.Builder
	for _, r := range v {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case !unicode.IsGraphic(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// document brings the JSON of a row as it was to one form: a store writes
// times as it likes, and members that are NULL or not at all. Columns that the
// kind no longer has stay as they are.
func document(k *schema.Kind, text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return text
	}
	for name, v := range doc {
		c, _ := (&schema.Kind{}).Column(name)
		if k != nil {
			c, _ = k.Column(name)
		}
		switch {
		case v == nil:
			delete(doc, name)
		case c.Type == schema.Timestamp:
			doc[name] = timeOf(v)
		case c.Type == schema.TimestampList:
			if l, ok := v.([]any); ok {
				for i := range l {
					l[i] = timeOf(l[i])
				}
			}
		}
	}
	return CanonicalJSON(mustJSON(doc))
}

// timeOf is a time in RFC 3339, whatever form it had.
func timeOf(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 -0700"} {
		if at, err := time.Parse(layout, s); err == nil {
			return Text(at, "")
		}
	}
	return s
}
