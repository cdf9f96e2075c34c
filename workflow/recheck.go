package workflow

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Recheck reads anew what a plan reasons from and acts on, into a copy of the
// first sink's estate, and plans its rule again on that with the same present.
// The tables of the sink stay as they are.
func Recheck(c *Config, cat *catalog.Catalogue, rule *react.Rule, store react.Store, version string) func(context.Context, *react.Plan) (*react.Plan, error) {
	return func(ctx context.Context, p *react.Plan) (again *react.Plan, err error) {
		reads := closureOf(cat, rule, p)
		// What the configuration does not read was not in the estate either.
		selected, err := SelectKinds(c, cat)
		if err != nil {
			return nil, err
		}
		reads.kinds = slices.DeleteFunc(reads.kinds, func(k string) bool {
			if _, known := cat.Entry(k); !known {
				return false // what clusters serve besides
			}
			return !slices.ContainsFunc(selected, func(e *catalog.Entry) bool { return e.Kind.Name == k && slices.Contains(c.Clouds(), e.Kind.Cloud) })
		})
		e, done, err := readAnew(ctx, c, reads, version)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, done()) }()
		planner, err := NewPlanner(ctx, c, e, cat, store, version)
		if err != nil {
			return nil, err
		}
		return planner.Again(ctx, rule, p)
	}
}

// closure is what a plan depends on.
type closure struct {
	// kinds are those of what it acts on, of what the rule reads and finds
	// absent, and of what can refer to what goes down.
	kinds []string
	// regions are those of AWS of what it acts on, none for all.
	regions []string
	// names are the tables and views that are read besides.
	names []string
}

var sqlWord = regexp.MustCompile(`[\pL_][\pL\pN_$]*`)

func closureOf(cat *catalog.Catalogue, rule *react.Rule, p *react.Plan) closure {
	seen, places := map[string]bool{}, map[string]bool{}
	for _, t := range p.Ready() {
		seen[t.Kind], places[regionOf(t.Resource)] = true, true
		for _, m := range t.Takes {
			seen[m.Kind], places[regionOf(m.Resource)] = true, true
		}
	}
	// What is absent is so in all regions of an account, and what is unique in
	// an account is referred to from all of them.
	everywhere := len(rule.Absent) > 0
	for _, e := range cat.Entries() {
		everywhere = everywhere || seen[e.Kind.Name] && e.Kind.KeyScope != schema.KeyRegion
	}
	refers := func(k *schema.Kind, to map[string]bool) bool {
		return slices.ContainsFunc(k.Edges, func(x schema.Edge) bool { return to[x.To] && x.OnDelete != schema.None })
	}
	deleted := map[string]bool{}
	for k := range seen {
		deleted[k] = true
	}
	for _, e := range cat.Entries() {
		k := e.Kind
		base := ""
		if k.Base != nil {
			if v, ok := schema.FindBaseView(k.Base.Name); ok {
				base = v.View
			}
		}
		named := slices.Contains(rule.Reads, k.Name) || slices.Contains(rule.Reads, base) || slices.Contains(rule.Absent, k.Name)
		if !e.Optional && (named || refers(k, deleted)) {
			seen[k.Name] = true
		}
	}
	var out closure
	for k := range seen {
		out.kinds = append(out.kinds, k)
	}
	for r := range places {
		if r != "" && !everywhere {
			out.regions = append(out.regions, r)
		}
	}
	// What a resource takes along that has come since the plan.
	for _, e := range cat.Entries() {
		if !seen[e.Kind.Name] && refers(e.Kind, seen) {
			out.names = append(out.names, e.Kind.Name)
		}
	}
	out.names = append(out.names, rule.Reads...)
	out.names = append(out.names, out.kinds...)
	for _, w := range rule.With {
		out.names = append(out.names, w.Kind)
	}
	slices.Sort(out.kinds)
	slices.Sort(out.regions)
	return out
}

// regionOf is the region that a resource is read in, empty where regions are
// not chosen: for what is global, and in other clouds than AWS.
func regionOf(r action.Resource) string {
	if r.Cloud != "aws" || r.Region == "global" {
		return ""
	}
	return r.Region
}

// plannerReads are the views that every plan reads: whose accounts there are,
// and what things cost.
var plannerReads = []string{"accounts", "instances", "volumes"}

// readAnew reads some kinds into a copy of the first sink and opens that. The
// function returned removes it.
func readAnew(ctx context.Context, c *Config, of closure, version string) (e *react.Estate, done func() error, err error) {
	names := slices.Concat(of.names, plannerReads)
	for _, q := range c.React.Protect.SQL {
		names = append(names, sqlWord.FindAllString(strings.ToLower(q), -1)...)
	}
	sink, err := OpenSink(ctx, c.Sinks[0], c)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	s, _, err := findScheme(c.Sinks[0])
	if err != nil {
		return nil, nil, err
	}
	over, ok := sink.(sinks.Overlayer)
	if !ok {
		return nil, nil, fmt.Errorf("%s makes no copies of an estate, which applying plans needs", sink.URL())
	}
	o, err := over.Overlay(ctx, names)
	if err != nil {
		return nil, nil, fmt.Errorf("copy the estate to read it anew: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	if err := syncOnly(ctx, c, o, of, version); err != nil {
		return nil, nil, err
	}
	db, err := o.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	if e, err = react.Open(ctx, db, s.dialect); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return e, func() error { return errors.Join(db.Close(), o.Close()) }, nil
}

// syncOnly reads some kinds into a sink.
func syncOnly(ctx context.Context, c *Config, to sinks.Sink, of closure, version string) (err error) {
	selected := SourceOptions{Only: of.kinds, Regions: of.regions, Version: version}
	cat, err := LoadSelected(c, selected)
	if err != nil {
		return err
	}
	r, err := OpenSources(ctx, c, cat, selected)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	_, err = Sync(ctx, ctx, Options{
		Sources: r.Sources, Sinks: []sinks.Sink{to}, Version: version, Workers: c.Workers, HistoryRetention: time.Duration(c.HistoryRetention),
	})
	if err != nil {
		return fmt.Errorf("read %s anew: %w", strings.Join(of.kinds, ", "), err)
	}
	return nil
}
