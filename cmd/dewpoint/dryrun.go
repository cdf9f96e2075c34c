package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/schema"
)

// plannedCall is a list call and where it would be made.
type plannedCall struct {
	service, call string
	kinds         []string
	accounts      map[string][]string // regions by account
	scopes        int
}

// dryRun prints what a sync would call.
func (a *app) dryRun(ctx context.Context, sources []extract.Source) error {
	out := &outcomes{}
	calls := map[string]*plannedCall{}
	var accounts []string
	for _, s := range sources {
		for t, err := range s.Tasks(ctx, out) {
			if err != nil {
				return err
			}
			key := t.Service + " " + t.Name
			c := calls[key]
			if c == nil {
				c = &plannedCall{service: t.Service, call: t.Name, accounts: map[string][]string{}}
				calls[key] = c
			}
			c.accounts[t.Account] = addOnce(c.accounts[t.Account], t.Region)
			accounts = addOnce(accounts, t.Account)
			c.scopes += len(t.Scopes)
			for _, sc := range t.Scopes {
				c.kinds = addOnce(c.kinds, sc.Kind)
			}
		}
	}
	list := make([]*plannedCall, 0, len(calls))
	for _, c := range calls {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *plannedCall) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.call, b.call))
	})
	t := term.NewTable("SERVICE", "CALL", ">SCOPES", "REGIONS", "KINDS")
	scopes := 0
	for _, c := range list {
		var regions []string
		for _, r := range c.accounts {
			for _, v := range r {
				regions = addOnce(regions, v)
			}
		}
		slices.Sort(regions)
		slices.Sort(c.kinds)
		t.Row(c.service, c.call, term.Count(int64(c.scopes)), some(regions, 2), strings.Join(c.kinds, ", "))
		scopes += c.scopes
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	for _, r := range out.results {
		where := strings.TrimSuffix(r.Scope.Account+" in "+r.Scope.Region, " in *")
		if r.State == schema.NotApplicable {
			fmt.Fprintf(a.out.Out, "\nLeft out: %s in %s: %s\n", r.Scope.Region, r.Scope.Account, term.Clean(r.Error))
		} else if incomplete(r) {
			fmt.Fprintf(a.out.Out, "\nCannot be read: %s: %s\n", where, term.Clean(r.Error))
		}
	}
	slices.Sort(accounts)
	_, err := fmt.Fprintf(a.out.Out, "\n%s, %s, in %s (%s).\nNothing was read or written. Kinds listed for each of another, and details, make further calls.\n",
		term.Plural(int64(len(list)), "call", "calls"), term.Plural(int64(scopes), "scope", "scopes"),
		term.Plural(int64(len(accounts)), "account", "accounts"), some(accounts, 5))
	return err
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// some joins the first values of a list and counts the others.
func some(list []string, most int) string {
	if len(list) <= most+1 {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// outcomes keeps the outcome of scopes and drops rows.
type outcomes struct {
	mu      sync.Mutex
	results []schema.ScopeResult
}

// Write implements extract.Writer.
func (o *outcomes) Write(_ context.Context, b *schema.Batch) error {
	b.Release()
	return nil
}

// Scope implements extract.Writer.
func (o *outcomes) Scope(_ context.Context, r schema.ScopeResult) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.results = append(o.results, r)
	return nil
}

// Problem implements extract.Writer.
func (o *outcomes) Problem(context.Context, ...schema.Problem) error { return nil }
