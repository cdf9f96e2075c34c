package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/postgres"
)

// LoadRules are all rules there are, bundled and of the configuration's
// folders, and the names of those in force, which are changed as the
// configuration says. Both are by name.
func LoadRules(c *Config) (all []*react.Rule, enabled []string, err error) {
	all = react.BundledRules()
	for _, dir := range c.React.RuleFolders {
		own, err := react.LoadRules(dir)
		if err != nil {
			return nil, nil, &ConfigError{fmt.Errorf("react.rule_folders: %w", err)}
		}
		for _, r := range own {
			if i := findRule(all, r.Name); i >= 0 {
				return nil, nil, &ConfigError{fmt.Errorf("react.rule_folders: %s: the rule %s is in %s already: give it another name", r.File, r.Name, all[i].File)}
			}
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *react.Rule) int { return strings.Compare(a.Name, b.Name) })
	for _, name := range slices.Sorted(maps.Keys(c.React.Rules)) {
		i := findRule(all, name)
		if i < 0 {
			near, names := "", []string(nil)
			for _, r := range all {
				names = append(names, r.Name)
			}
			if found := api.Near(name, names); len(found) > 0 {
				near = ", did you mean " + found[0] + "?"
			}
			return nil, nil, &ConfigError{fmt.Errorf("react.rules: there is no rule %q%s: dewpoint react rules lists them", name, near)}
		}
		if all[i], err = all[i].Changed(c.React.Rules[name]); err != nil {
			return nil, nil, &ConfigError{fmt.Errorf("react.rules: %w", err)}
		}
		enabled = append(enabled, name)
	}
	return all, enabled, nil
}

// RulesInForce are the rules that the configuration names.
func RulesInForce(c *Config) ([]*react.Rule, error) {
	all, enabled, err := LoadRules(c)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(r *react.Rule) bool { return !slices.Contains(enabled, r.Name) }), nil
}

func findRule(all []*react.Rule, name string) int {
	return slices.IndexFunc(all, func(r *react.Rule) bool { return r.Name == name })
}

// OpenStore opens where marks and the ledger are kept: in the first sink if it
// is a Postgres, else in the file of the configuration. The caller closes it.
func OpenStore(ctx context.Context, c *Config) (react.Store, error) {
	for _, prefix := range []string{"postgres://", "postgresql://"} {
		if strings.HasPrefix(strings.ToLower(c.Sinks[0]), prefix) {
			db, err := postgres.OpenState(ctx, c.Sinks[0])
			if err != nil {
				return nil, hide(err, c.Sinks[0])
			}
			s := react.NewPostgresStore(db)
			s.Lease = time.Duration(c.Serve.Lease)
			return s, nil
		}
	}
	return react.OpenFileStore(c.React.State), nil
}

// KeepPlans keeps plans in the state, for whoever applies them.
func KeepPlans(ctx context.Context, store react.Store, plans []*react.Plan) error {
	keeper, ok := store.(react.Plans)
	if !ok {
		return nil
	}
	by, err := os.Hostname()
	if err != nil {
		by = "unknown"
	}
	if u, err := user.Current(); err == nil {
		by = u.Username + "@" + by
	}
	for _, p := range plans {
		if err := keeper.KeepPlan(ctx, p, by); err != nil {
			return err
		}
	}
	return nil
}

// NewPlanner makes the planner of a configuration for an estate.
func NewPlanner(ctx context.Context, c *Config, e *react.Estate, cat *catalog.Catalogue, store react.Store, version string) (*react.Planner, error) {
	settings, err := ReactSettings(c)
	if err != nil {
		return nil, err
	}
	p := Protection(c)
	if err := p.Validate(); err != nil {
		return nil, &ConfigError{fmt.Errorf("react.protect: %w", err)}
	}
	served, err := servedBy(ctx, e)
	if err != nil {
		return nil, err
	}
	kinds := map[string]*schema.Kind{}
	for _, entry := range cat.Entries() {
		if !entry.Optional {
			kinds[entry.Kind.Name] = entry.Kind
		}
	}
	return &react.Planner{
		Estate: e, Kinds: kinds, Calls: acting.Declared{Catalogue: cat, Vendors: clouds.Vendors(), Clusters: served}, Settings: settings, Protection: p, Store: store,
		Fresh: time.Duration(c.React.Fresh), PerDay: c.React.MaxPerDay, Version: version,
	}, nil
}

// servedBy is what clusters serve, as the estate's last sync saw it.
func servedBy(ctx context.Context, e *react.Estate) (acting.Clusters, error) {
	out := acting.Clusters{}
	documents, err := e.Documents(ctx, "kubernetes_cluster", "resources")
	if err != nil {
		return nil, err
	}
	for _, d := range documents {
		var served []k8s.Served
		if err := json.Unmarshal([]byte(d.Text), &served); err != nil {
			return nil, fmt.Errorf("kubernetes_cluster: resources of %s: %w", d.Account, err)
		}
		out.Add(d.Account, served)
	}
	return out, nil
}

// Protection is what the configuration protects.
func Protection(c *Config) react.Protection {
	x := c.React.Protect
	return react.Protection{Tags: x.Tags, IDs: x.IDs, Accounts: x.Accounts, Kinds: x.Kinds, SQL: x.SQL, Allow: x.Allow}
}
