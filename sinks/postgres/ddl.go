package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// definer brings the tables, those of the staging and the views to what the
// kinds need, by short transactions that give way to other sessions.
type definer struct {
	*conn
	kinds []*schema.Kind
	base  base
}

// kindsAtOnce is how many kinds a transaction defines: each takes some locks.
const kindsAtOnce = 40

func (d *definer) define(ctx context.Context) error {
	if err := d.migrate(ctx); err != nil {
		return err
	}
	if err := d.base.check(d.sink.URL(), d.kinds); err != nil {
		return err
	}
	if err := d.rename(ctx); err != nil {
		return err
	}
	var due []string
	for _, k := range d.kinds {
		if q := d.kindSQL(k); q != "" {
			due = append(due, q)
		}
	}
	for part := range slices.Chunk(due, kindsAtOnce) {
		if err := d.short(ctx, strings.Join(part, ";\n")); err != nil {
			return err
		}
	}
	if due != nil {
		if err := d.read(ctx); err != nil {
			return err
		}
	}
	return d.defineViews(ctx)
}

func (d *definer) read(ctx context.Context) error {
	return d.transaction(ctx, func() (err error) {
		d.base, err = readBase(ctx, d.conn)
		return err
	})
}

// short runs statements as one transaction that waits for locks only briefly,
// so that it does not hold up who waits behind it, and tries again.
func (d *definer) short(ctx context.Context, sql string) error {
	deadline := time.Now().Add(max(d.sink.opts.LockTimeout, time.Second))
	for {
		err := d.transaction(ctx, func() error { return d.exec(ctx, "SET LOCAL lock_timeout = '1s'", sql) })
		if code(err) != "55P03" || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// migrate reads the schema and brings dewpoint's own tables to the newest
// version.
func (d *definer) migrate(ctx context.Context) error {
	if err := d.read(ctx); err != nil {
		return err
	}
	own, err := ownMigrations()
	if err != nil || d.base.version >= len(own) {
		return err
	}
	if err := d.base.check(d.sink.URL(), nil); err != nil {
		return err
	}
	db, err := d.sink.database(false)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.Postgres(),
		goose.WithTableName("dewpoint_migrations"), goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", d.sink.explain(err))
	}
	return d.read(ctx)
}

// kindSQL returns what makes or extends a kind's table and its staging; empty
// where they are as they should be.
func (d *definer) kindSQL(k *schema.Kind) string {
	var q []string
	now := tables.Layout(k)
	old, table := d.base.byKey[k.Key], d.base.table(k)
	stands := table != "" && old.layout == now
	switch {
	case table == "":
		q = append(q, createTable(k))
	case !stands:
		for _, c := range k.TableColumns() {
			if _, ok := d.base.tables[shorten(table)][shorten(c.Name)]; !ok {
				q = append(q, addColumn(k, c))
			}
		}
	}
	if !stands {
		q = append(q, comments(k)...)
	}
	if !stands || old.declared != tables.DeclarationSum(k) {
		q = append(q, fmt.Sprintf(`INSERT INTO kinds (kind, key, layout, names, maps, cloud, declared) VALUES (%s, %s, %s, %s, %s, %s, %s)
			ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, layout = excluded.layout, names = excluded.names, maps = excluded.maps,
				cloud = excluded.cloud, declared = excluded.declared`,
			literal(k.Name), literal(k.Key), literal(now), longNames(k), literals(d.mapColumns(k)), literal(k.Cloud), literal(tables.Declaration(k))))
	}
	if want := stagingColumns(k); !maps.Equal(want, d.base.staged[shorten(k.Name)]) {
		q = append(q, createStaging(d.sink.cfg.staging, k))
	}
	return strings.Join(q, ";\n")
}

// collated are the unified columns that compare by bytes.
var collated = []string{"id", "kind", "cloud", "account", "region", "urn", "_scope"}

func columnSQL(k *schema.Kind, c schema.Column) string {
	q := ident(c.Name) + " " + columnType(c.Type)
	if slices.Contains(collated, c.Name) && !slices.ContainsFunc(k.Columns, func(own schema.Column) bool { return own.Name == c.Name }) {
		q += ` COLLATE "C"`
	}
	if c.Name == "_id" {
		q += " NOT NULL"
	}
	return q
}

func createTable(k *schema.Kind) string {
	var cols []string
	volatile := ""
	for _, c := range k.TableColumns() {
		cols = append(cols, columnSQL(k, c))
		if c.Volatile { // room for the next version of a row in its page
			volatile = " WITH (fillfactor = 85)"
		}
	}
	return fmt.Sprintf("CREATE TABLE %s (%s)%s", ident(k.Name), strings.Join(cols, ", "), volatile)
}

func addColumn(k *schema.Kind, c schema.Column) string {
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", ident(k.Name), columnSQL(k, c))
}

func comments(k *schema.Kind) []string {
	q := []string{fmt.Sprintf("COMMENT ON TABLE %s IS %s", ident(k.Name), literal(k.Doc))}
	for _, c := range k.TableColumns() {
		if c.Doc != "" {
			q = append(q, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", ident(k.Name), ident(c.Name), literal(c.Doc)))
		}
	}
	return q
}

// longNames returns the names that Postgres has otherwise, as jsonb.
func longNames(k *schema.Kind) string {
	names := map[string]string{}
	for _, n := range append([]string{k.Name}, tables.ColumnNames(k.TableColumns())...) {
		if s := shorten(n); s != n {
			names[n] = s
		}
	}
	if len(names) == 0 {
		return "NULL"
	}
	return literal(mustJSON(names))
}

// mapColumns lists the columns of a table that are maps, those that left the
// definition included.
func (d *definer) mapColumns(k *schema.Kind) []string {
	var names []string
	for _, c := range k.TableColumns() {
		if c.Type == schema.TextMap {
			names = append(names, c.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.base.maps[k.Name])) {
		if _, ok := k.Column(name); !ok && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// stagingColumns are those of a kind's staging table, with their types.
func stagingColumns(k *schema.Kind) map[string]string {
	cols := map[string]string{"_pos": "bigint"}
	for _, c := range k.BatchColumns() {
		cols[shorten(c.Name)] = columnType(c.Type)
	}
	return cols
}

func createStaging(staging string, k *schema.Kind) string {
	cols := []string{"_pos bigint"}
	for _, c := range k.BatchColumns() {
		cols = append(cols, columnSQL(k, c))
	}
	table := ident(staging) + "." + ident(k.Name)
	return fmt.Sprintf("DROP TABLE IF EXISTS %s; CREATE UNLOGGED TABLE %[1]s (%s) WITH (autovacuum_enabled = false)", table, strings.Join(cols, ", "))
}

// rename gives the tables of renamed kinds, and everything that names them,
// the new names.
func (d *definer) rename(ctx context.Context) error {
	renamed := false
	for _, k := range d.kinds {
		if from := d.base.table(k); from != "" && from != k.Name {
			if err := d.short(ctx, renameTable(d.sink.cfg.staging, from, k)); err != nil {
				return fmt.Errorf("rename %s to %s: %w", from, k.Name, err)
			}
			renamed = true
		}
	}
	if !renamed {
		return nil
	}
	return d.read(ctx)
}

func renameTable(staging, from string, k *schema.Kind) string {
	f, t := literal(from), literal(k.Name)
	q := []string{
		fmt.Sprintf("ALTER TABLE %s RENAME TO %s", ident(from), ident(k.Name)),
		fmt.Sprintf("ALTER INDEX IF EXISTS %s RENAME TO %s", ident(from+idIndex), ident(k.Name+idIndex)),
		fmt.Sprintf("ALTER INDEX IF EXISTS %s RENAME TO %s", ident(from+scopeIndex), ident(k.Name+scopeIndex)),
		fmt.Sprintf("DROP TABLE IF EXISTS %s.%s", ident(staging), ident(from)),
		fmt.Sprintf("UPDATE kinds SET kind = %s, layout = NULL WHERE key = %s", t, literal(k.Key)),
		fmt.Sprintf("UPDATE %s SET kind = %s", ident(k.Name), t),
		fmt.Sprintf("UPDATE resources SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE edges SET from_kind = %s WHERE from_kind = %s", t, f),
		fmt.Sprintf("UPDATE edges SET to_kind = %s WHERE to_kind = %s", t, f),
		fmt.Sprintf("UPDATE sightings SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE resource_history SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE scope_states SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE scope_states SET kinds = (SELECT array_agg(x ORDER BY x) FROM unnest(array_replace(kinds, %s, %s)) x) WHERE %[1]s = ANY (kinds)", f, t),
	}
	return strings.Join(q, ";\n")
}

// The names of a kind's indexes are its own and these.
const (
	idIndex    = "__id"
	scopeIndex = "__scope"
)
