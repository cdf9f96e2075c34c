package react

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// Protection says what is never touched.
type Protection struct {
	// Tags protect what bears them: a key, or KEY=GLOB for the value.
	Tags []string
	// IDs are globs of ids, names and urns; Accounts and Kinds of those.
	IDs, Accounts, Kinds []string
	// SQL are statements that select the _id of what is protected.
	SQL []string
	// Allow are globs of the ids and names of accounts that may be acted in
	// though their name looks like production's, or is not known.
	Allow []string
}

// DefaultProtection is what protects where nothing is said.
func DefaultProtection() Protection {
	return Protection{Tags: []string{"dewpoint:protected", "protected=true"}}
}

// Validate checks the globs.
func (p *Protection) Validate() error {
	for _, g := range [][]string{p.IDs, p.Accounts, p.Kinds, p.Allow} {
		if err := validGlobs(g); err != nil {
			return err
		}
	}
	for _, t := range p.Tags {
		if _, glob, ok := strings.Cut(t, "="); ok {
			if err := validGlobs([]string{glob}); err != nil {
				return err
			}
		}
	}
	return nil
}

// guard is a protection on an estate.
type guard struct {
	Protection
	names map[string]string // of accounts, by cloud/id
	ids   map[string]bool   // by SQL
}

func (e *Estate) guard(ctx context.Context, p Protection) (*guard, error) {
	g := &guard{Protection: p, names: map[string]string{}, ids: map[string]bool{}}
	rows, err := e.DB.QueryContext(ctx, "SELECT cloud, account, coalesce(name, '') FROM accounts")
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var cloud, id, name string
		if err := rows.Scan(&cloud, &id, &name); err != nil {
			return nil, err
		}
		g.names[cloud+"/"+id] += " " + name
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, q := range p.SQL {
		rows, err := e.DB.QueryContext(ctx, "SELECT CAST(_id AS VARCHAR) FROM ("+q+") p")
		if err != nil {
			return nil, fmt.Errorf("protect.sql: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return nil, err
			}
			g.ids[id] = true
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("protect.sql: %w", err)
		}
	}
	return g, nil
}

// production is what the name of an account of production looks like.
var production = regexp.MustCompile(`(?i)prod|prd|\blive\b`)

// why says why a resource is protected, empty if it is not.
func (g *guard) why(f *fact) string {
	if why := g.whyAccount(f.Cloud, f.Account); why != "" {
		return why
	}
	switch {
	case g.ids[f.UID]:
		return "protected by protect.sql"
	case matchesAny(g.Kinds, f.Kind):
		return "its kind is protected"
	case matchesAny(g.IDs, f.ID) || matchesAny(g.IDs, f.Name) || matchesAny(g.IDs, f.URN):
		return "protected by its id"
	}
	return protectedByTag(g.Tags, f.Tags)
}

// protectedByTag compares without regard to letter case: a tag that is meant to
// protect does.
func protectedByTag(rules []string, tags map[string]string) string {
	for _, t := range rules {
		key, glob, valued := strings.Cut(strings.ToLower(t), "=")
		for k, v := range tags {
			if strings.EqualFold(k, key) && (!valued || fits(glob, strings.ToLower(strings.TrimSpace(v)))) {
				return "protected by its tag " + k
			}
		}
	}
	return ""
}

// whyAccount says why an account is protected.
func (g *guard) whyAccount(cloud, account string) string {
	name, known := g.names[cloud+"/"+account]
	names := append(strings.Fields(name), account, strings.TrimSpace(name))
	for _, n := range names {
		if matchesAny(g.Accounts, n) {
			return "its account is protected"
		}
	}
	for _, n := range names {
		if matchesAny(g.Allow, n) {
			return ""
		}
	}
	switch {
	case !known:
		return "the name of its account " + account + " is not known: read the accounts, or allow it by protect.allow"
	case production.MatchString(name):
		return "its account" + name + " looks like production: allow it by protect.allow"
	}
	return ""
}
