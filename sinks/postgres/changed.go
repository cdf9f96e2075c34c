package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// changed compares the candidates with their rows column by column and enters
// what differs: changed rows with history, the others in place.
func (k *kindCommit) changed(ctx context.Context, candidates int64) error {
	if err := k.compare(ctx); err != nil {
		return err
	}
	if err := k.analyze(ctx, candidates, "_compared"); err != nil {
		return err
	}
	counts, err := k.texts(ctx, fmt.Sprintf(`SELECT count(*) FILTER (WHERE cardinality(changed) > 0), count(*) FILTER (WHERE cardinality(changed) = 0), count(*) FILTER (WHERE unread),
		count(*) FILTER (WHERE cardinality(changed) = 0 AND (vol OR new_hash OR new_unread OR new_scope)),
		count(*) FILTER (WHERE cardinality(changed) = 0 AND (new_hash OR new_unread OR new_scope)) FROM _compared WHERE kind = %d`, k.k.Index))
	if err != nil {
		return err
	}
	var n [5]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(counts[0][i], 10, 64); err != nil {
			return err
		}
	}
	k.sum.Changed += n[0]
	k.sum.Unchanged += n[1]
	k.sum.Unread += n[2]
	k.touched += n[0]
	if n[0] > 0 {
		if err := k.replace(ctx); err != nil {
			return err
		}
	}
	if n[3] > 0 {
		if err := k.exec(ctx, k.inPlace()); err != nil {
			return err
		}
	}
	if n[4] > 0 {
		return k.exec(ctx, fmt.Sprintf(`UPDATE resources r SET _hash = t._hash, _unread = t._unread, _scope = t._scope FROM %s t JOIN _compared c ON c._id = t._id
			WHERE r._id = t._id AND c.kind = %d AND cardinality(c.changed) = 0 AND (c.new_hash OR c.new_unread OR c.new_scope)`, k.table, k.k.Index))
	}
	return nil
}

// value is what a column of a candidate is to be: columns that could not be
// read keep their values.
func (k *kindCommit) value(c schema.Column) string {
	v := "v." + ident(c.Name)
	if k.k.Unread && !plain(c) {
		return fmt.Sprintf("CASE WHEN %s = ANY (v._unread) THEN t.%s ELSE %s END", literal(c.Name), ident(c.Name), v)
	}
	return v
}

// plain are the columns that are never unread and make no history.
func plain(c schema.Column) bool {
	switch c.Name {
	case "_id", "_scope", "_hash", "_unread":
		return true
	}
	return false
}

// compare enters the candidates into the table _compared, with the names of
// the columns that changed. A column that left the definition loses its value.
func (k *kindCommit) compare(ctx context.Context) error {
	var diffs []string
	vol := []string{"false"}
	for _, c := range k.k.BatchColumns() {
		if plain(c) {
			continue
		}
		differs := fmt.Sprintf("%s IS DISTINCT FROM t.%s", k.value(c), ident(c.Name))
		if c.Volatile {
			vol = append(vol, "("+differs+")")
		} else {
			diffs = append(diffs, fmt.Sprintf("CASE WHEN %s THEN %s END", differs, literal(c.Name)))
		}
	}
	for _, name := range k.removed() {
		diffs = append(diffs, fmt.Sprintf("CASE WHEN t.%s IS NOT NULL THEN %s END", ident(name), literal(name)))
	}
	return k.exec(ctx, fmt.Sprintf(`INSERT INTO _compared
		SELECT w.kind, w.pos, t._id, array_remove(ARRAY[%s]::text[], NULL), %s,
			v._hash IS DISTINCT FROM t._hash, v._unread IS DISTINCT FROM t._unread, v._scope IS DISTINCT FROM t._scope, v._unread IS NOT NULL
		FROM _choice w JOIN %s v ON v._pos = w.pos JOIN %s t ON t._id = w._id
		WHERE w.kind = %d AND w.action = 'c'`, strings.Join(diffs, ", "), strings.Join(vol, " OR "), k.staged(k.k), k.table, k.k.Index))
}

// removed lists the table's columns that are not part of the kind.
func (k *kindCommit) removed() []string {
	wanted := map[string]bool{}
	for _, c := range k.k.TableColumns() {
		wanted[shorten(c.Name)] = true
	}
	var names []string
	for name := range k.base.tables[shorten(k.k.Name)] {
		if !wanted[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// replace writes the changed rows anew and their old values to the history.
func (k *kindCommit) replace(ctx context.Context) error {
	change, err := k.changeOf(ctx)
	if err != nil {
		return err
	}
	var set, unified []string
	for _, c := range k.k.BatchColumns() {
		set = append(set, fmt.Sprintf("%s = %s", ident(c.Name), k.value(c)))
	}
	for _, name := range k.removed() {
		set = append(set, ident(name)+" = NULL")
	}
	for _, c := range schema.Unified {
		unified = append(unified, fmt.Sprintf("%s = t.%[1]s", ident(c.Name)))
	}
	changed := fmt.Sprintf("c.kind = %d AND cardinality(c.changed) > 0", k.k.Index)
	return k.exec(ctx,
		k.historyQuery(change, "c.changed", fmt.Sprintf("_compared c ON c._id = t._id AND %s", changed)),
		fmt.Sprintf("UPDATE %s t SET %s, _sync_id = %s FROM %s v JOIN _compared c ON c.pos = v._pos WHERE t._id = c._id AND %s",
			k.table, strings.Join(set, ", "), k.syncLiteral(), k.staged(k.k), changed),
		fmt.Sprintf("UPDATE resources r SET %s FROM %s t JOIN _compared c ON c._id = t._id WHERE r._id = t._id AND %s", strings.Join(unified, ", "), k.table, changed))
}

// inPlace updates what makes no history.
func (k *kindCommit) inPlace() string {
	set := []string{"_hash = v._hash", "_unread = v._unread", "_scope = v._scope"}
	for _, i := range k.k.Volatile {
		c := k.k.BatchColumns()[i]
		set = append(set, fmt.Sprintf("%s = %s", ident(c.Name), k.value(c)))
	}
	return fmt.Sprintf(`UPDATE %s t SET %s FROM %s v JOIN _compared c ON c.pos = v._pos
		WHERE t._id = c._id AND c.kind = %d AND cardinality(c.changed) = 0 AND (c.vol OR c.new_hash OR c.new_unread OR c.new_scope)`,
		k.table, strings.Join(set, ", "), k.staged(k.k), k.k.Index)
}

// changeOf returns the expression for a changed row's kind of change: schema
// where only columns changed that entered or left the definition since the
// row's scope was last complete.
func (k *kindCommit) changeOf(ctx context.Context) (string, error) {
	recent, err := k.texts(ctx, `SELECT ltrim(e.key, '-'), max(e.value::timestamptz) FROM kinds, jsonb_each_text(columns) e
		WHERE kind = `+literal(k.k.Name)+` AND e.value::timestamptz > (SELECT min(f.value::timestamptz) FROM jsonb_each_text(columns) f) GROUP BY 1 ORDER BY 1`)
	if err != nil || len(recent) == 0 {
		return "'changed'", err
	}
	var since strings.Builder
	for _, r := range recent {
		fmt.Fprintf(&since, " WHEN %s THEN TIMESTAMPTZ %s", literal(r[0]), literal(r[1]))
	}
	return fmt.Sprintf(`(SELECT CASE WHEN bool_and(coalesce(CASE x%s END > l.at, false)) THEN 'schema' ELSE 'changed' END
		FROM unnest(c.changed) x, (SELECT %s AS at) l)`, since.String(), k.lastRead()), nil
}

// historyQuery enters the rows that join as they are now.
func (k *kindCommit) historyQuery(change, columns, join string) string {
	return fmt.Sprintf(`INSERT INTO resource_history (_id, kind, change, changed_columns, doc, valid_from, valid_to)
		SELECT t._id, %s, %s, %s, %s, sync_time(t._sync_id), %s FROM %s t JOIN %s`,
		literal(k.k.Name), change, columns, k.document(), k.nowLiteral(), k.table, join)
}

// document returns the expression for a row of the kind's table as JSON.
func (k *kindCommit) document() string {
	doc := "to_jsonb(t)"
	for _, name := range tables.ColumnNames(k.k.TableColumns()) {
		if s := shorten(name); s != name {
			doc = fmt.Sprintf("(%s - %s || jsonb_build_object(%s, t.%s))", doc, literal(s), literal(name), ident(name))
		}
	}
	return doc
}

// lastRead returns the expression for when the scope of the row t was last
// complete, or else when the row was written.
func (k *kindCommit) lastRead() string {
	return fmt.Sprintf(`coalesce((SELECT max(f.last_complete) FROM scope_freshness f WHERE f.kind = %s AND f.cloud = split_part(t._scope, '/', 1)
		AND f.account = split_part(t._scope, '/', 2) AND f.region = split_part(t._scope, '/', 3)), sync_time(t._sync_id))`, literal(k.k.Name))
}
