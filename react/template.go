package react

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/dewpoint-data/dewpoint/react/timespan"
)

// Settings are what SQL of metrics and rules may ask for beside the estate.
type Settings struct {
	// OwnerTags name whose a resource is; the first that is set counts.
	OwnerTags []string
	// RequiredTags are the tags that every resource should have.
	RequiredTags []string
	// Prices are what things cost; nil is unknown.
	Prices []Price
	// ExpiresTags hold an instant, ExpirationTags a time from creation.
	ExpiresTags, ExpirationTags []string
}

// DefaultSettings are those that hold where nothing else is said.
func DefaultSettings() Settings {
	return Settings{
		OwnerTags: []string{"owner"}, RequiredTags: []string{"owner"},
		ExpiresTags: []string{"dewpoint:expires", "expires"}, ExpirationTags: []string{"dewpoint:expiration", "expiration"},
	}
}

// render makes the statement of a template for the estate.
//
// The functions are: now, an instant literal; ago DURATION, an instant before
// it; tag KEY or tag COLUMN KEY; owner or owner COLUMN; json COLUMN KEY; seconds FROM TO; epoch TIME;
// literal TEXT; param NAME; seconds_of DURATION; table NAME, whether it is there; prices, prices BASE or prices BASE VARIANT; required_tags;
// expires and expiration, the tags that say when a resource ends; kinds COLUMN, whether that is one of the rule's kinds.
func (e *Estate) render(name, text string, now time.Time, s Settings, r *Rule) (string, error) {
	funcs := template.FuncMap{
		"now": func() string { return e.Dialect.instant(now) },
		"ago": func(d string) (string, error) {
			span, err := timespan.Parse(d)
			if err != nil {
				return "", err
			}
			return e.Dialect.instant(now.Add(-span)), nil
		},
		"tag":           func(args ...string) (string, error) { return e.onColumn(args, e.Dialect.tag) },
		"owner":         func(column ...string) (string, error) { return e.firstTag(column, s.OwnerTags) },
		"expires":       func(column ...string) (string, error) { return e.firstTag(column, s.ExpiresTags) },
		"expiration":    func(column ...string) (string, error) { return e.firstTag(column, s.ExpirationTags) },
		"json":          e.Dialect.json,
		"epoch":         e.Dialect.epoch,
		"seconds":       func(from, to string) string { return "(" + e.Dialect.epoch(to) + " - " + e.Dialect.epoch(from) + ")" },
		"literal":       literal,
		"required_tags": func() []string { return s.RequiredTags },
		"prices": func(of ...string) (string, error) {
			if len(of) > 2 {
				return "", fmt.Errorf("write prices, prices BASE or prices BASE VARIANT, not %d arguments", len(of))
			}
			return priceTable(s.Prices, of...), nil
		},
		"table": e.Has,
		"kinds": func(column string) string { return amongKinds(column, r.Kinds) },
		"param": func(name string) (string, error) {
			v, ok := r.Params[name]
			if !ok {
				return "", fmt.Errorf("there is no parameter %q", name)
			}
			return v, nil
		},
	}
	t, err := template.New(name).Funcs(funcs).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", templateError(err)
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return "", templateError(err)
	}
	return b.String(), nil
}

// amongKinds is a condition that a column fits one of several globs, or is not
// far from one: targets are held against the globs themselves.
func amongKinds(column string, globs []string) string {
	if len(globs) == 0 {
		return "1 = 1"
	}
	var exact, conditions []string
	for _, g := range globs {
		if !strings.ContainsAny(g, `*?[\`) {
			exact = append(exact, literal(g))
			continue
		}
		// Of a set of characters only what stands before it counts.
		before, _, set := strings.Cut(g, "[")
		if set {
			g = before + "*"
		}
		like := strings.NewReplacer("_", "!_", "%", "!%", "!", "!!", "*", "%", "?", "_", `\`, "").Replace(g)
		conditions = append(conditions, column+" LIKE "+literal(like)+" ESCAPE '!'")
	}
	if len(exact) > 0 {
		conditions = append(conditions, column+" IN ("+strings.Join(exact, ", ")+")")
	}
	return "(" + strings.Join(conditions, " OR ") + ")"
}

// templateError leaves out what only the library's authors want to know.
func templateError(err error) error {
	var exec template.ExecError
	if errors.As(err, &exec) && errors.Unwrap(exec.Err) != nil {
		return fmt.Errorf("%s: %w", exec.Name, errors.Unwrap(exec.Err))
	}
	return err
}

// onColumn applies f to a column and a key; the column is tags if one
// argument is given.
func (e *Estate) onColumn(args []string, f func(column, key string) string) (string, error) {
	switch len(args) {
	case 1:
		return f("tags", args[0]), nil
	case 2:
		return f(args[0], args[1]), nil
	}
	return "", fmt.Errorf("write tag KEY or tag COLUMN KEY, not %d arguments", len(args))
}

// firstTag is the first of several tags that is neither absent nor empty.
func (e *Estate) firstTag(column, keys []string) (string, error) {
	of := "tags"
	switch {
	case len(column) == 1:
		of = column[0]
	case len(column) > 1:
		return "", fmt.Errorf("name one column, not %d", len(column))
	}
	if len(keys) == 0 {
		return "CAST(NULL AS VARCHAR)", nil
	}
	var parts []string
	for _, k := range keys {
		parts = append(parts, "nullif("+e.Dialect.tag(of, k)+", '')")
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return "coalesce(" + strings.Join(parts, ", ") + ")", nil
}
