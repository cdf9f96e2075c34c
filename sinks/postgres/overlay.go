package postgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Overlayer = (*Sink)(nil)

// overlay is a copy of the estate in a schema of its own, of unlogged tables.
type overlay struct{ *Sink }

// overlayPrefix begins the names of the schemas of all overlays of a database.
const overlayPrefix = "dewpoint_apply_"

// overlayAge is how old an overlay must be before it is taken for one of a
// process that was killed on another host. Applying takes no such time.
const overlayAge = 24 * time.Hour

// maker is what the comment of an overlay's schema says of who made it.
type maker struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Process string    `json:"process"`
	At      time.Time `json:"at"`
}

// Overlay copies dewpoint's own tables and those of the kinds that the names
// are, or that the views of those names are made of. The role needs the right
// to create schemas.
func (s *Sink) Overlay(ctx context.Context, names []string) (_ sinks.Overlay, err error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.checkServer(ctx, c); err != nil {
		return nil, err
	}
	if err := s.sweepOverlays(ctx, c); err != nil {
		return nil, fmt.Errorf("sweep the overlays of %s: %w", s.URL(), err)
	}
	var suffix [4]byte
	_, _ = rand.Read(suffix[:]) // it never fails
	cfg := *s.cfg
	cfg.schema = overlayPrefix + hex.EncodeToString(suffix[:])
	cfg.staging = cfg.schema + "_staging"
	o := &overlay{&Sink{cfg: &cfg, opts: s.opts, at: func(string) {}, settle: s.settle}}
	if err := o.create(ctx, c); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if err := o.fill(ctx, s, c, names); err != nil {
		return nil, fmt.Errorf("copy %s: %w", s.URL(), err)
	}
	return o, nil
}

// create makes the schemas, which say whose they are from the first instant.
func (o *overlay) create(ctx context.Context, c *conn) error {
	host, _ := os.Hostname()
	by := literal(mustJSON(maker{Host: host, PID: os.Getpid(), Process: processOf(os.Getpid()), At: time.Now().UTC()}))
	err := c.transaction(ctx, func() error {
		for _, name := range []string{o.cfg.schema, o.cfg.staging} {
			if err := c.exec(ctx, "CREATE SCHEMA "+ident(name), "COMMENT ON SCHEMA "+ident(name)+" IS "+by); err != nil {
				return err
			}
		}
		return nil
	})
	if code(err) == "42501" {
		return fmt.Errorf("the role may not create schemas, which applying plans needs for a copy of the tables: GRANT CREATE ON DATABASE ... TO the role: %w", err)
	}
	return err
}

// ownCopied are dewpoint's own tables that every overlay has the rows of,
// ownAsked those that it has where they are named.
var (
	ownCopied = []string{"kinds", "syncs", "scope_times", "scope_states", "sightings", "resources", "edges"}
	ownAsked  = []string{"resource_history", "problems", "metrics"}
)

// fill copies the tables as they are at one time.
func (o *overlay) fill(ctx context.Context, from *Sink, c *conn, names []string) error {
	to, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer to.close()
	if err := o.bootstrap(ctx, to); err != nil {
		return err
	}
	d := &definer{conn: to}
	if err := d.migrate(ctx); err != nil {
		return err
	}
	var copied []string
	err = c.transaction(ctx, func() error {
		if err := c.exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
		b, err := readBase(ctx, c)
		if err != nil {
			return err
		}
		if b.version == 0 {
			return errors.New("it holds no estate: run dewpoint sync first")
		}
		own := slices.Clone(ownCopied)
		for _, t := range ownAsked {
			if slices.Contains(names, t) {
				own = append(own, t)
			}
		}
		var queries []string
		for _, t := range own {
			columns := slices.Sorted(maps.Keys(b.tables[t]))
			list := idents("", columns)
			queries = append(queries, fmt.Sprintf("ALTER TABLE %s.%s SET UNLOGGED", ident(o.cfg.schema), ident(t)),
				fmt.Sprintf("INSERT INTO %s.%s (%s) SELECT %[3]s FROM %[4]s.%[2]s", ident(o.cfg.schema), ident(t), list, ident(from.cfg.schema)))
		}
		kinds := b.behind(names)
		for _, k := range kinds {
			queries = append(queries, fmt.Sprintf("CREATE UNLOGGED TABLE %s.%s (LIKE %s.%[2]s INCLUDING ALL EXCLUDING INDEXES)", ident(o.cfg.schema), ident(k), ident(from.cfg.schema)),
				fmt.Sprintf("INSERT INTO %s.%s SELECT * FROM %s.%[2]s", ident(o.cfg.schema), ident(k), ident(from.cfg.schema)))
		}
		copied = append(own, kinds...)
		if err := c.exec(ctx, queries...); err != nil {
			return err
		}
		return c.copyIndexes(ctx, o.cfg.schema, copied)
	})
	if err != nil {
		return err
	}
	if err := d.read(ctx); err != nil {
		return err
	}
	if err := d.defineViews(ctx); err != nil {
		return err
	}
	return c.exec(ctx, "ANALYZE "+idents(ident(o.cfg.schema)+".", copied))
}

// copyIndexes makes the indexes that tables of another schema lack, under the
// names that they have here.
func (c *conn) copyIndexes(ctx context.Context, to string, copied []string) error {
	shortened := make([]string, len(copied))
	for i, t := range copied {
		shortened[i] = shorten(t)
	}
	defs, err := c.texts(ctx, fmt.Sprintf(`SELECT replace(pg_get_indexdef(x.indexrelid), ' ON ' || quote_ident(n.nspname) || '.', ' ON %s.')
		FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_namespace n ON n.oid = t.relnamespace
		WHERE n.nspname = %s AND t.relname = ANY (%s)
			AND NOT EXISTS (SELECT FROM pg_class o JOIN pg_namespace m ON m.oid = o.relnamespace WHERE m.nspname = %s AND o.relname = i.relname)`,
		to, literal(c.sink.cfg.schema), literals(shortened), literal(to)))
	if err != nil {
		return err
	}
	for _, d := range defs {
		if err := c.exec(ctx, d[0]); err != nil {
			return err
		}
	}
	return nil
}

// behind are the kinds with a table that the names are, or that the views of
// those names are made of.
func (b *base) behind(names []string) []string {
	bases := map[string]bool{}
	for _, v := range schema.BaseViews {
		if slices.Contains(names, v.View) {
			bases[v.Base] = true
		}
	}
	var out []string
	for _, k := range b.byKey {
		if b.tables[shorten(k.name)] == nil {
			continue
		}
		var of schema.Base
		_ = json.Unmarshal([]byte(k.base), &of) // none is no base
		former := slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(b.made[n], " FROM "+ident(k.name)) })
		if slices.Contains(names, k.name) || bases[of.Name] || former {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return out
}

// Read implements sinks.Overlay.
func (o *overlay) Read(context.Context) (*sql.DB, error) { return o.database(true) }

// Close drops the schemas.
func (o *overlay) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := o.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	return c.dropSchemas(ctx, []string{o.cfg.schema, o.cfg.staging})
}

func (c *conn) dropSchemas(ctx context.Context, names []string) error {
	return c.transaction(ctx, func() error { return c.exec(ctx, "DROP SCHEMA IF EXISTS "+idents("", names)+" CASCADE") })
}

// sweepOverlays drops the schemas of overlays whose process has ended.
func (s *Sink) sweepOverlays(ctx context.Context, c *conn) error {
	all, err := c.texts(ctx, fmt.Sprintf(`SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace
		WHERE nspname ~ '^%s[0-9a-f]{8}(_staging)?$' AND pg_has_role(nspowner, 'USAGE')`, overlayPrefix))
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	var dead []string
	for _, r := range all {
		var by maker
		if json.Unmarshal([]byte(r[1]), &by) != nil {
			continue // somebody else's
		}
		if by.Host == host && gone(fmt.Sprint(by.PID), by.Process) || time.Since(by.At) > overlayAge {
			dead = append(dead, r[0])
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return c.dropSchemas(ctx, dead)
}
