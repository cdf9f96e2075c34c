package transform

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Resource is a row of resources.
type Resource struct {
	UUID, Kind, ID, Name, Account, Region string
}

// Title names a resource for people: kind, name and id.
func (r Resource) Title() string {
	if r.Name == "" || r.Name == r.ID || strings.HasSuffix(r.ID, "/"+r.Name) {
		return r.Kind + " " + r.ID
	}
	return r.Kind + " " + r.Name + " (" + r.ID + ")"
}

// FindSQL finds resources by _id, urn, id, address or name; rank tells which,
// the lowest is meant.
func FindSQL(m sinks.Modeller, text string) string {
	is := literal(m, text)
	columns := "cast(r._id as varchar) as _id, r.kind, r.id, coalesce(r.name, '') as name, r.account, r.region"
	var parts []string
	by := func(rank int, where string) {
		parts = append(parts, fmt.Sprintf("SELECT %d AS rank, %s\nFROM {dewpoint}.resources r WHERE %s", rank, columns, where))
	}
	if isUUID(text) {
		cast := "uuid"
		if m.Dialect() == "snowflake" {
			cast = "varchar"
		}
		by(0, "r._id = cast("+is+" as "+cast+")")
	}
	by(0, "r.urn = "+is)
	by(0, "r.id = "+is)
	if strings.ContainsAny(text, ".:") {
		by(1, "r._id IN (SELECT a._id FROM {models}.addresses a WHERE a.reserved AND a.ip = "+is+")")
		by(2, "r._id IN (SELECT a._id FROM {models}.addresses a WHERE NOT a.reserved AND a.ip = "+is+")")
	}
	by(3, "r.name = "+is)
	return sinks.In(m, strings.Join(parts, "\nUNION\n")+"\nORDER BY rank, kind, account, region LIMIT 50")
}

// AmbiguousError says that several resources bear a name.
type AmbiguousError struct {
	Text  string
	Found []Resource
}

func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d resources are called %s: name one by its id, or by its _id", len(e.Found), e.Text)
	for i, r := range e.Found {
		if i == 10 {
			b.WriteString("\n  ...")
			break
		}
		fmt.Fprintf(&b, "\n  %s  %s, %s/%s", r.UUID, r.Title(), r.Account, r.Region)
	}
	return b.String()
}

// Find returns the one resource that a text names.
func Find(ctx context.Context, db *sql.DB, m sinks.Modeller, text string) (Resource, error) {
	if err := built(ctx, db, m); err != nil {
		return Resource{}, err
	}
	rows, err := db.QueryContext(ctx, FindSQL(m, text))
	if err != nil {
		return Resource{}, err
	}
	defer rows.Close()
	var found []Resource
	best := -1
	for rows.Next() {
		var rank int
		var r Resource
		if err := rows.Scan(&rank, &r.UUID, &r.Kind, &r.ID, &r.Name, &r.Account, &r.Region); err != nil {
			return Resource{}, err
		}
		if best < 0 {
			best = rank
		}
		if rank == best {
			found = append(found, r)
		}
	}
	switch {
	case rows.Err() != nil:
		return Resource{}, rows.Err()
	case len(found) == 0:
		return Resource{}, fmt.Errorf("no resource has %s as its id, name, urn or address", text)
	case len(found) > 1:
		return Resource{}, &AmbiguousError{text, found}
	}
	return found[0], nil
}

// built says whether the models are there.
func built(ctx context.Context, db *sql.DB, m sinks.Modeller) error {
	rows, err := db.QueryContext(ctx, sinks.In(m, "SELECT 1 FROM {models}.closure LIMIT 1"))
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if text := strings.ToLower(err.Error()); strings.Contains(text, "does not exist") { // as every database says it
			return fmt.Errorf("%s has no models: run dewpoint transform first", m.URL())
		}
		return fmt.Errorf("read the models in %s: %w", m.URL(), err)
	}
	return errors.Join(rows.Err(), rows.Close())
}

// ImpactSQL asks what goes down with a resource and what blocks its deletion,
// up to limit rows.
func ImpactSQL(m sinks.Modeller, uuid string, limit int) (string, error) {
	return analysis(m, "impact", "{resource}", uuid, "{limit}", fmt.Sprint(limit))
}

// PathSQL asks how two resources are related.
func PathSQL(m sinks.Modeller, from, to string) (string, error) {
	return analysis(m, "path", "{from}", from, "{to}", to)
}

func analysis(m sinks.Modeller, name string, parameters ...string) (string, error) {
	_, analyses, err := dbt.Compiled(m.Dialect())
	if err != nil {
		return "", err
	}
	q, ok := analyses[name]
	if !ok {
		return "", fmt.Errorf("the analysis %s is not compiled for %s", name, m.Dialect())
	}
	return sinks.In(m, strings.NewReplacer(parameters...).Replace(q)), nil
}

// literal quotes a text.
func literal(m sinks.Modeller, s string) string {
	if m.Dialect() == "snowflake" {
		s = strings.ReplaceAll(s, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range s {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
				return false
			}
		}
	}
	return true
}
