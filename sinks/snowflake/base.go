package snowflake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// base is what a schema holds before a sync. One statement reads it all.
type base struct {
	// version is the last migration, 0 for a schema that is not dewpoint's yet.
	version int
	// lastSync and lastStart are those of the newest sync, empty before the first.
	lastSync, lastStart string
	// digest is that of the scopes of the newest sync.
	digest string
	// byKey are the kinds that have a table, by their key.
	byKey map[string]storedKind
	// tables are all tables with their columns' types, views all views. Names
	// are in lower case; those that are not stored in upper case are left out.
	tables map[string]map[string]string
	views  map[string]bool
	// made are the views that dewpoint made.
	made map[string]madeView
	// rows counts the resources by kind.
	rows             map[string]int64
	edges, sightings int64
	// oldest is the time of the oldest row that the retention may end.
	oldest   string
	problems map[stage.ProblemKey]stage.ProblemCount
	overlays []storedOverlay
}

// madeView is a row of dewpoint_views: the MD5 of the definition and, quoted,
// what it selects from at its end.
type madeView struct{ digest, from string }

// storedKind is a row of kinds.
type storedKind struct {
	name, key, definition, layout, parent, base, edges string
	since                                              string
	// declared is the sum of the declaration.
	declared string
	// columns are when each of the definition was added, and behind a minus
	// before the name when it was removed.
	columns map[string]string
	// types are the declared types of the columns.
	types map[string]string
}

// ownTables are dewpoint's, besides dewpoint_migrations.
var ownTables = []string{
	"resources", "edges", "resource_history", "sightings", "syncs", "scopes", "problems", "metrics", "kinds", "dewpoint_views", "dewpoint_lease", "dewpoint_overlays",
}

// stagingPrefix begins the names of the tables that a commit uploads to.
const stagingPrefix = "dewpoint_staging_"

const objectsQuery = `SELECT 'column' AS what, table_name AS a, column_name AS b, data_type AS c, NULL AS d, NULL AS e, NULL AS f, NULL AS g, NULL AS h
	FROM information_schema.columns WHERE table_schema = CURRENT_SCHEMA()
UNION ALL SELECT 'object', table_name, table_type, NULL, NULL, NULL, NULL, NULL, NULL FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA()
UNION ALL SELECT 'object', table_name, 'VIEW', NULL, NULL, NULL, NULL, NULL, NULL FROM information_schema.views WHERE table_schema = CURRENT_SCHEMA()`

const ownQuery = `
UNION ALL SELECT 'version', MAX(version)::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM dewpoint_migrations
UNION ALL SELECT 'digest', scopes_digest, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM dewpoint_lease
UNION ALL SELECT 'sync', id, DATE_PART(EPOCH_MICROSECOND, started_at)::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL FROM (SELECT id, started_at FROM syncs ORDER BY started_at DESC, id DESC LIMIT 1) last
UNION ALL SELECT 'kind', kind, key, definition, layout, parent, TO_JSON(base), TO_JSON(edges), TO_JSON(OBJECT_CONSTRUCT('columns', columns, 'types', types, 'since', DATE_PART(EPOCH_MICROSECOND, definition_since)::VARCHAR, 'declared', MD5(declared))) FROM kinds
UNION ALL SELECT 'made', name, MD5(definition), SPLIT_PART(definition, ' FROM ', -1), NULL, NULL, NULL, NULL, NULL FROM dewpoint_views
UNION ALL SELECT 'rows', kind, COUNT(*)::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL FROM resources GROUP BY kind
UNION ALL SELECT 'edges', COUNT(*)::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM edges
UNION ALL SELECT 'sightings', COUNT(*)::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM sightings
UNION ALL SELECT 'oldest', DATE_PART(EPOCH_MICROSECOND, MIN(since))::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM (
	SELECT MIN(valid_to) AS since FROM resource_history
	UNION ALL SELECT MIN(y.started_at) FROM syncs y LEFT JOIN (SELECT DISTINCT _sync_id FROM resources) r ON r._sync_id = y.id WHERE r._sync_id IS NULL) o
UNION ALL SELECT 'problem', kind, account, region, "CALL", "COLUMN", code, "COUNT"::VARCHAR, "SAMPLE" FROM problems`

const overlaysQuery = `
UNION ALL SELECT 'overlay', name, holder, CASE WHEN made_at < DATEADD(hour, -%d, CURRENT_TIMESTAMP()) THEN 'old' END, NULL, NULL, NULL, NULL, NULL FROM dewpoint_overlays`

// readBase reads a schema that has dewpoint's tables, of any version.
func readBase(ctx context.Context, c *conn) (*base, error) {
	b, err := readState(ctx, c, objectsQuery+ownQuery+fmt.Sprintf(overlaysQuery, overlayHours))
	if missing(err) {
		b, err = readState(ctx, c, objectsQuery+ownQuery)
	}
	if noColumn(err) {
		return readState(ctx, c, objectsQuery+strings.Replace(ownQuery, "MD5(declared)", "NULL", 1))
	}
	return b, err
}

func readState(ctx context.Context, c *conn, query string) (*base, error) {
	b := &base{
		byKey: map[string]storedKind{}, tables: map[string]map[string]string{}, views: map[string]bool{}, made: map[string]madeView{},
		rows: map[string]int64{}, problems: map[stage.ProblemKey]stage.ProblemCount{},
	}
	columns := map[string]map[string]string{}
	err := c.each(ctx, query, func(r []string) error {
		switch r[0] {
		case "column":
			if table, ok := stored(r[1]); ok {
				if columns[table] == nil {
					columns[table] = map[string]string{}
				}
				if name, ok := stored(r[2]); ok {
					columns[table][name] = r[3]
				}
			}
			return nil
		case "object":
			if name, ok := stored(r[1]); ok {
				if strings.Contains(r[2], "VIEW") {
					b.views[name] = true
				} else {
					b.tables[name] = map[string]string{}
				}
			}
			return nil
		}
		return b.own(r)
	})
	if err != nil {
		return nil, err
	}
	for name := range b.tables {
		if columns[name] != nil {
			b.tables[name] = columns[name]
		}
	}
	return b, nil
}

// own takes a row about dewpoint's own tables.
func (b *base) own(r []string) error {
	number := func(s string) int64 {
		n, _ := strconv.ParseInt(s, 10, 64) // NULL is none
		return n
	}
	switch r[0] {
	case "version":
		b.version = int(number(r[1]))
	case "digest":
		b.digest = r[1]
	case "sync":
		b.lastSync, b.lastStart = r[1], timeText(time.UnixMicro(number(r[2])))
	case "made":
		b.made[r[1]] = madeView{digest: r[2], from: r[3]}
	case "rows":
		b.rows[r[1]] = number(r[2])
	case "edges":
		b.edges = number(r[1])
	case "oldest":
		if r[1] != "" {
			b.oldest = timeText(time.UnixMicro(number(r[1])))
		}
	case "sightings":
		b.sightings = number(r[1])
	case "overlay":
		b.overlays = append(b.overlays, storedOverlay{name: r[1], holder: r[2], old: r[3] != ""})
	case "problem":
		b.problems[stage.ProblemKey{Kind: r[1], Account: r[2], Region: r[3], Call: r[4], Column: r[5], Code: r[6]}] = stage.ProblemCount{Count: number(r[7]), Sample: r[8]}
	case "kind":
		k := storedKind{name: r[1], key: r[2], definition: r[3], layout: r[4], parent: r[5], base: r[6], edges: r[7]}
		var rest struct {
			Columns, Types  map[string]string
			Since, Declared string
		}
		if err := json.Unmarshal([]byte(r[8]), &rest); err != nil {
			return fmt.Errorf("the table kinds: %s: %w", k.name, err)
		}
		k.columns, k.types, k.declared = rest.Columns, rest.Types, rest.Declared
		if rest.Since != "" {
			k.since = timeText(time.UnixMicro(number(rest.Since)))
		}
		b.byKey[k.key] = k
	}
	return nil
}

// columns returns a table's columns with their types, nil if it is not there.
func (b *base) columns(table string) map[string]string { return b.tables[fold(table)] }

// fold returns the form in which base holds a name.
func fold(name string) string { return strings.ToLower(name) }

// stored returns the lower-case form of a name that unquoted SQL reaches.
func stored(name string) (string, bool) {
	return strings.ToLower(name), name == strings.ToUpper(name)
}

// table returns the name of the table that holds a kind now, empty if there
// is none.
func (b *base) table(k *schema.Kind) string {
	old, ok := b.byKey[k.Key]
	switch {
	case !ok:
		return ""
	case b.columns(old.name) != nil:
		return old.name
	case b.columns(k.Name)["_sync_id"] != "":
		return k.Name // a renaming that was interrupted
	}
	return ""
}

// check says whether the kinds can be had by adding tables and columns.
func (b *base) check(url string, kinds []*schema.Kind) error {
	own, err := migrations.Load("snowflake")
	if err != nil {
		return err
	}
	if b.version > len(own) {
		return fmt.Errorf("%s was written by a newer dewpoint (its tables are at version %d, this one knows %d): upgrade dewpoint", url, b.version, len(own))
	}
	for _, k := range kinds {
		for _, c := range b.kindChanges(k) {
			if c.Action == sinks.Conflict {
				return refusal(url, c)
			}
		}
	}
	return nil
}

// refusal is the error for a conflict.
func refusal(url string, c sinks.SchemaChange) error {
	if c.Column == "" {
		return fmt.Errorf("%s has %s under the name %s: rename it, or skip the kind", url, c.Have, c.Table)
	}
	return &sinks.SchemaError{Kind: c.Table, Column: c.Column, Have: c.Have, Want: c.Want}
}

// sweep drops what a sync or an application left behind that was killed.
func (b *base) sweep(ctx context.Context, c *conn) error {
	for name := range b.tables {
		if strings.HasPrefix(name, stagingPrefix) {
			if _, err := c.exec(ctx, "DROP TABLE IF EXISTS "+ident(name)); err != nil {
				return err
			}
			delete(b.tables, name)
		}
	}
	return b.sweepOverlays(ctx, c)
}

// recent returns when the columns were added or removed that were not there
// from the kind's beginning, without the minus.
func (k *storedKind) recent() map[string]string {
	var all []string
	for _, at := range k.columns {
		all = append(all, at)
	}
	later := map[string]string{}
	if len(all) == 0 {
		return later
	}
	first := slices.Min(all)
	for name, at := range k.columns {
		if name = strings.TrimPrefix(name, "-"); at > first && at > later[name] {
			later[name] = at
		}
	}
	return later
}
