package react

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// fact is what the table resources says of a resource.
type fact struct {
	action.Resource
	scope  string // the cloud, account and region that reported it, by /
	hash   string
	unread string
}

// incarnation tells a resource from a later one with the same id.
func (f *fact) incarnation() string {
	if f.CreatedAt.IsZero() {
		return f.ID
	}
	return f.CreatedAt.UTC().Format(time.RFC3339Nano)
}

// link is an edge.
type link struct {
	from, fromKind, relation, to, toKind, toRef, resolution, onDelete string
}

// atOnce is how many values a statement asks for.
const atOnce = 1000

// list writes values for IN (...), so many at once.
type list struct {
	atOnce int
	write  func(values []string) string
}

// each lists values as literals.
func each(write func(string) string) list {
	return list{atOnce, func(values []string) string {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = write(v)
		}
		return strings.Join(quoted, ", ")
	}}
}

// uuids lists _ids. DuckDB, which has no indexes to look them up in, reads the
// table once for many of them, which come as one text.
func (d Dialect) uuids() list {
	if d != DuckDB {
		return each(d.uuid)
	}
	return list{200_000, func(ids []string) string {
		return "SELECT CAST(unnest(string_split(" + literal(strings.Join(ids, ",")) + ", ',')) AS UUID)"
	}}
}

// chunked asks for values some at a time.
func chunked(values []string, ask func(list string) error, l list) error {
	for part := range slices.Chunk(values, l.atOnce) {
		if err := ask(l.write(part)); err != nil {
			return err
		}
	}
	return nil
}

// facts reads resources by _id.
func (e *Estate) facts(ctx context.Context, ids []string) (map[string]*fact, error) {
	out := make(map[string]*fact, len(ids))
	err := chunked(ids, func(list string) error {
		rows, err := e.DB.QueryContext(ctx, fmt.Sprintf(`SELECT CAST(_id AS VARCHAR), kind, id, name, urn, cloud, account, region, created_at, %s, _scope, CAST(_hash AS VARCHAR), %s
			FROM resources WHERE _id IN (%s)`, e.Dialect.document("tags"), e.Dialect.value("_unread"), list))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f fact
			var name, urn, region, tags, scope, hash, unread sql.NullString
			var created sql.NullTime
			if err := rows.Scan(&f.UID, &f.Kind, &f.ID, &name, &urn, &f.Cloud, &f.Account, &region, &created, &tags, &scope, &hash, &unread); err != nil {
				return err
			}
			f.Name, f.URN, f.Region, f.scope, f.hash = name.String, urn.String, region.String, scope.String, hash.String
			columns, err := texts(unread.String)
			if err != nil {
				return fmt.Errorf("_unread of %s: %w", f.Shown(), err)
			}
			f.unread = strings.Join(columns, ", ")
			if created.Valid {
				f.CreatedAt = created.Time.UTC()
			}
			if parts := strings.SplitN(f.scope, "/", 4); len(parts) > 3 {
				f.scope = strings.Join(parts[:3], "/")
			}
			if tags.Valid && tags.String != "null" {
				if err := json.Unmarshal([]byte(tags.String), &f.Tags); err != nil {
					return fmt.Errorf("tags of %s: %w", f.Shown(), err)
				}
			}
			out[f.UID] = &f
		}
		return rows.Err()
	}, e.Dialect.uuids())
	if err != nil {
		return nil, fmt.Errorf("read the resources: %w", err)
	}
	return out, nil
}

// texts reads a list of texts as JSON; NULL is none.
func texts(doc string) (out []string, err error) {
	if doc == "" {
		return nil, nil
	}
	return out, json.Unmarshal([]byte(doc), &out)
}

// links reads edges by a condition on a list, which stands in it as %s.
func (e *Estate) links(ctx context.Context, condition string, values []string, l list) ([]link, error) {
	var out []link
	err := chunked(values, func(list string) error {
		rows, err := e.DB.QueryContext(ctx, `SELECT CAST(from_id AS VARCHAR), from_kind, relation, coalesce(CAST(to_id AS VARCHAR), ''), coalesce(to_kind, ''), coalesce(to_ref, ''), coalesce(resolution, ''), coalesce(on_delete, 'block')
			FROM edges WHERE `+fmt.Sprintf(condition, list))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var x link
			if err := rows.Scan(&x.from, &x.fromKind, &x.relation, &x.to, &x.toKind, &x.toRef, &x.resolution, &x.onDelete); err != nil {
				return err
			}
			out = append(out, x)
		}
		return rows.Err()
	}, l)
	if err != nil {
		return nil, fmt.Errorf("read the edges: %w", err)
	}
	return out, nil
}

// freshness is when each scope was last complete, by "cloud/account/region"
// and kind; a scope that is not complete has a zero time.
type freshness struct {
	scopes map[string]map[string]time.Time // kind -> scope -> time
	states map[string]map[string]string
	// defined is since when a kind is read as it is, zero for always; unread is
	// how many rows of it, by "cloud/account", are not read whole. Both are of
	// kinds that a rule finds absent.
	defined map[string]time.Time
	unread  map[string]map[string]int
}

// inPlace says whether a scope is one of a "cloud/account".
func inPlace(scope, place string) bool { return strings.HasPrefix(scope, place+"/") }

func (e *Estate) freshness(ctx context.Context) (*freshness, error) {
	f := &freshness{scopes: map[string]map[string]time.Time{}, states: map[string]map[string]string{}}
	rows, err := e.DB.QueryContext(ctx, "SELECT cloud, account, region, kind, state, last_complete FROM scope_freshness")
	if err != nil {
		return nil, fmt.Errorf("read scope_freshness: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var cloud, account, region, kind, state string
		var at sql.NullTime
		if err := rows.Scan(&cloud, &account, &region, &kind, &state, &at); err != nil {
			return nil, fmt.Errorf("read scope_freshness: %w", err)
		}
		if f.scopes[kind] == nil {
			f.scopes[kind], f.states[kind] = map[string]time.Time{}, map[string]string{}
		}
		scope := cloud + "/" + account + "/" + region
		f.states[kind][scope] = state
		if state == "complete" {
			f.scopes[kind][scope] = at.Time
		}
	}
	return f, rows.Err()
}

// of says why a scope of a kind does not count as read, empty if it does.
func (f *freshness) of(kind, scope string, since time.Time) string {
	state, ok := f.states[kind][scope]
	switch at := f.scopes[kind][scope]; {
	case !ok:
		return kind + " was not read in " + scope
	case state != "complete":
		return kind + " in " + scope + " is " + state
	case at.Before(since):
		return kind + " in " + scope + " was last read at " + at.UTC().Format("2006-01-02 15:04")
	}
	return ""
}

// in says why a kind in an account does not count as read, whole: in all
// regions where it applies.
func (f *freshness) in(kind, cloud, account string, since time.Time) string {
	place := cloud + "/" + account
	found := false
	for scope, state := range f.states[kind] {
		if !inPlace(scope, place) || state == "not_applicable" {
			found = found || inPlace(scope, place)
			continue
		}
		found = true
		if why := f.of(kind, scope, since); why != "" {
			return why
		}
	}
	if !found {
		return kind + " was not read in " + cloud + "/" + account
	}
	return ""
}

// anywhere says why a kind of another cloud does not count as read, whole:
// wherever it was read at all.
func (f *freshness) anywhere(kind string, since time.Time) string {
	for scope, state := range f.states[kind] {
		if state == "not_applicable" {
			continue
		}
		if why := f.of(kind, scope, since); why != "" {
			return why
		}
	}
	return ""
}
