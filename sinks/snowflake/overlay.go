package snowflake

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

// overlay is a copy of the estate in a transient schema of its own, of tables
// that are cloned: what the copy does not change is not stored twice.
type overlay struct {
	*Sink
	// from is the estate, opened for the overlay alone: it is needed once more
	// when the sink may be closed.
	from *Sink
}

// overlayPrefix begins the names of the schemas of all overlays of a database.
const overlayPrefix = "dewpoint_apply_"

// overlayHours is how old an overlay must be before it is taken for one of a
// process that was killed on another host. Applying takes no such time.
const overlayHours = 24

// overlayTag marks the statements that make and drop an overlay.
const overlayTag = "dewpoint apply"

// Overlay copies dewpoint's own tables and those of the kinds that the names
// are, or that the views of those names are made of. The role needs the right
// to create schemas in the database.
func (s *Sink) Overlay(ctx context.Context, names []string) (_ sinks.Overlay, err error) {
	c, err := s.connect(ctx, overlayTag)
	if err != nil {
		return nil, err
	}
	defer c.close()
	b, err := readBase(ctx, c)
	if missing(err) || err == nil && b.lastSync == "" {
		return nil, fmt.Errorf("%s holds no estate: run dewpoint sync first", s.URL())
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.URL(), err)
	}
	if err := b.migrate(ctx, c); err != nil {
		return nil, err
	}
	if err := b.sweepOverlays(ctx, c); err != nil {
		return nil, fmt.Errorf("sweep the overlays of %s: %w", s.URL(), err)
	}
	var suffix [4]byte
	_, _ = rand.Read(suffix[:]) // it never fails
	o := &overlay{from: open(s.cfg, s.opts), Sink: open(s.cfg.in(overlayPrefix+hex.EncodeToString(suffix[:])), s.opts)}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if err := o.create(ctx); err != nil {
		return nil, fmt.Errorf("make a schema for a copy of the tables, which takes CREATE SCHEMA on the database: %w", err)
	}
	if err := o.fill(ctx, c, names); err != nil {
		return nil, fmt.Errorf("copy %s: %w", s.URL(), err)
	}
	return o, nil
}

// in is the configuration for another schema of the database.
func (c *config) in(name string) *config {
	out := *c
	out.driver.Schema = strings.ToUpper(name)
	out.driver.Params = maps.Clone(c.driver.Params)
	if c.stage != "" && !strings.Contains(c.stage, ".") {
		out.stage = c.driver.Schema + "." + c.stage
	}
	return &out
}

func (o *overlay) name() string { return o.cfg.driver.Schema }

// create makes the schema, in a session of its own, whose current schema it
// becomes. What is entered before says whose it is.
func (o *overlay) create(ctx context.Context) error {
	c, err := o.from.connect(ctx, overlayTag)
	if err != nil {
		return err
	}
	defer c.close()
	return c.execAll(ctx,
		fmt.Sprintf("INSERT INTO dewpoint_overlays (name, holder, made_at) SELECT %s, %s, CURRENT_TIMESTAMP()", literal(o.name()), literal(holder(os.Getpid()))),
		"CREATE TRANSIENT SCHEMA "+ident(o.name())+" DATA_RETENTION_TIME_IN_DAYS = 0")
}

// ownCopied are dewpoint's own tables that an overlay has the rows of.
var ownCopied = []string{"kinds", "syncs", "scopes", "sightings", "problems", "resources", "edges", "resource_history", "metrics"}

// attempts is how often a copy is begun anew because a sync was committed
// meanwhile: tables are cloned one after the other.
const attempts = 3

// fill clones the tables as they are at one time, and makes the others.
func (o *overlay) fill(ctx context.Context, from *conn, names []string) error {
	to, err := o.connect(ctx, overlayTag)
	if err != nil {
		return err
	}
	defer to.close()
	digest, err := o.clone(ctx, from, to, names)
	if err != nil {
		return err
	}
	if err := (&base{}).migrate(ctx, to); err != nil {
		return err
	}
	if _, err := to.exec(ctx, "UPDATE dewpoint_lease SET scopes_digest = "+nullLiteral(digest)); err != nil {
		return err
	}
	b, err := readBase(ctx, to)
	if err != nil {
		return err
	}
	return b.defineViews(ctx, to, nil)
}

// clone returns the digest of the scopes that it cloned.
func (o *overlay) clone(ctx context.Context, from, to *conn, names []string) (digest string, err error) {
	source := ident(o.from.cfg.driver.Schema) + "."
	var copied []string
	for range attempts {
		for _, t := range copied {
			if _, err := to.exec(ctx, "DROP TABLE "+ident(t)); err != nil {
				return "", err
			}
		}
		b, err := readBase(ctx, from)
		if err != nil {
			return "", err
		}
		copied = append(slices.Clone(ownCopied), b.behind(names)...)
		for _, t := range copied {
			if _, err := to.exec(ctx, "CREATE TRANSIENT TABLE "+ident(t)+" CLONE "+source+ident(t)); err != nil {
				return "", err
			}
		}
		newest, err := from.texts(ctx, "SELECT id FROM syncs ORDER BY started_at DESC, id DESC LIMIT 1")
		if err != nil {
			return "", err
		}
		if len(newest) == 1 && newest[0][0] == b.lastSync {
			return b.digest, nil
		}
	}
	return "", errors.New("syncs are committed faster than the tables are cloned: apply the plan when none runs")
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
		if b.columns(k.name) == nil {
			continue
		}
		var of schema.Base
		_ = json.Unmarshal([]byte(k.base), &of) // none is no base
		former := slices.ContainsFunc(names, func(n string) bool { return b.made[n].from == ident(k.name) })
		if slices.Contains(names, k.name) || bases[of.Name] || former {
			out = append(out, k.name)
		}
	}
	slices.Sort(out)
	return out
}

// Read implements sinks.Overlay.
func (o *overlay) Read(ctx context.Context) (*sql.DB, error) {
	return openReader(ctx, o.cfg.in(o.name()))
}

// Close drops the schema.
func (o *overlay) Close() (err error) {
	defer func() { err = errors.Join(err, o.Sink.Close(), o.from.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := o.from.connect(ctx, overlayTag)
	if err != nil {
		return err
	}
	defer c.close()
	return dropOverlay(ctx, c, o.name())
}

func dropOverlay(ctx context.Context, c *conn, name string) error {
	return c.execAll(ctx, "DROP SCHEMA IF EXISTS "+ident(name), "DELETE FROM dewpoint_overlays WHERE name = "+literal(name))
}

// storedOverlay is a row of dewpoint_overlays.
type storedOverlay struct {
	name, holder string
	// old says that nobody applies on it any more.
	old bool
}

// sweepOverlays drops the schemas of overlays whose process has ended.
func (b *base) sweepOverlays(ctx context.Context, c *conn) error {
	for _, o := range b.overlays {
		if !o.old && !dead(o.holder) || !strings.HasPrefix(fold(o.name), overlayPrefix) {
			continue
		}
		if err := dropOverlay(ctx, c, o.name); err != nil {
			return err
		}
	}
	return nil
}
