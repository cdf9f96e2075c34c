package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Origin says where the rows of a kind come from.
type Origin struct {
	Service string
	// Call is the operation that lists the kind.
	Call string
	// Actions are the IAM actions that an operation of the kind needs, and
	// Services the services of operations that are of another.
	Actions  map[string][]string
	Services map[string]string
}

// Lookup finds the origin of a kind in the catalogue.
type Lookup func(kind string) Origin

// Group are scopes that are incomplete for the same reason, or rows of which
// the same detail could not be read.
type Group struct {
	Service string `json:"service"`
	Call    string `json:"call"`
	// Code is the vendor's error code; the state where it gave none.
	Code  string       `json:"code"`
	State schema.State `json:"state,omitempty"`
	// Count is the number of scopes, or of rows where Detail is true.
	Count  int64 `json:"count"`
	Detail bool  `json:"detail,omitempty"`
	// Kinds and Places (account/region) concerned, sorted.
	Kinds  []string `json:"kinds"`
	Places []string `json:"places"`
	// Error is what one of them said.
	Error     string `json:"error,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	// Advice is what to do, a sentence a line.
	Advice []string `json:"advice,omitempty"`
}

type groupKey struct {
	service, call, code string
	state               schema.State
}

// Incomplete groups the scopes that are incomplete, the largest group first.
func Incomplete(scopes []schema.ScopeResult, lookup Lookup) []Group {
	g := grouping{}
	for _, r := range scopes {
		o := lookup(r.Scope.Kind)
		k := groupKey{cmp.Or(o.Service, r.Scope.Cloud), o.Call, cmp.Or(r.Code, string(r.State)), r.State}
		if r.State == schema.Skipped {
			k.service, k.call = "all calls", ""
		}
		e := g.at(k)
		e.Count++
		e.add(r.Scope.Kind, r.Scope.Account, r.Scope.Region)
		if e.Error == "" {
			e.Error, e.RequestID = message(r.Error, o.Service+" "+o.Call, r.Code), r.RequestID
		}
	}
	g.merge()
	return g.sorted(lookup)
}

// valueCodes are problems with values, not with calls.
var valueCodes = map[string]string{
	"time": "unreadable times, kept as NULL", "number": "numbers out of range, kept as NULL",
	"type": "values of another type than described, kept as NULL", "id": "items without an id, left out",
	"tag": "tags with a key twice, the first one kept", "text": "texts with invalid characters, replaced",
	"duplicate": "rows returned twice with different content, the last one kept",
	"drift":     "members that the API description does not know, left out",
}

// Unread groups the detail calls that failed.
func Unread(problems []schema.Problem, lookup Lookup) []Group {
	g := grouping{}
	for _, p := range problems {
		if _, ok := valueCodes[p.Code]; ok {
			continue
		}
		o := lookup(p.Kind)
		e := g.at(groupKey{service: cmp.Or(o.Services[p.Call], o.Service), call: p.Call, code: p.Code})
		e.Detail = true
		e.Count += p.Count
		e.add(p.Kind, p.Account, p.Region)
		if e.Error == "" {
			e.Error = message(p.Sample, cmp.Or(o.Services[p.Call], o.Service)+" "+p.Call, p.Code)
		}
	}
	return g.sorted(lookup)
}

type grouping map[groupKey]*Group

func (g grouping) at(k groupKey) *Group {
	e := g[k]
	if e == nil {
		e = &Group{Service: k.service, Call: k.call, Code: k.code, State: k.state}
		g[k] = e
	}
	return e
}

// alike is how many calls make one group when they fail with the same words.
const alike = 4

// merge makes one group of those that failed with the same words: credentials
// that expired, a project that is gone. What is denied stays apart, call by
// call, because each wants a permission of its own.
func (g grouping) merge() {
	type words struct {
		state       schema.State
		code, error string
	}
	same := map[words][]groupKey{}
	for k, e := range g {
		text, _, _ := strings.Cut(e.Error, " (request id ")
		if k.call != "" && k.state != schema.Denied && !denied(k.code) && text != "" {
			w := words{k.state, k.code, text}
			same[w] = append(same[w], k)
		}
	}
	for w, keys := range same {
		if len(keys) < alike {
			continue
		}
		slices.SortFunc(keys, func(a, b groupKey) int {
			return cmp.Or(cmp.Compare(a.service, b.service), cmp.Compare(a.call, b.call))
		})
		service := keys[0].service
		if service != keys[len(keys)-1].service {
			service = ""
		}
		into := g.at(groupKey{service, fmt.Sprintf("%d calls", len(keys)), w.code, w.state})
		into.Error, into.RequestID = w.error, g[keys[0]].RequestID
		for _, k := range keys {
			into.Count += g[k].Count
			for _, kind := range g[k].Kinds {
				insert(&into.Kinds, kind)
			}
			for _, place := range g[k].Places {
				insert(&into.Places, place)
			}
			delete(g, k)
		}
	}
}

func (e *Group) add(kind, account, region string) {
	insert(&e.Kinds, kind)
	place := strings.Trim(account+"/"+region, "/")
	if place = strings.TrimSuffix(place, "/*"); place != "" {
		insert(&e.Places, place)
	}
}

func insert(list *[]string, s string) {
	if i, found := slices.BinarySearch(*list, s); !found {
		*list = slices.Insert(*list, i, s)
	}
}

func (g grouping) sorted(lookup Lookup) []Group {
	out := make([]Group, 0, len(g))
	for _, e := range g {
		e.Advice = advise(e, lookup)
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Service, b.Service),
			cmp.Compare(a.Call, b.Call), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// message is an error without what its group says already: where it was, the
// call and the code.
func message(text, call, code string) string {
	if _, after, ok := strings.Cut(text, ": "+call+": "); ok {
		text = after
	}
	if code == "" {
		return text
	}
	if after, ok := strings.CutPrefix(text, code+": "); ok {
		return after
	}
	if _, after, ok := strings.Cut(text, ": "+code+": "); ok {
		return after
	}
	return text
}

// places writes places by account: "111122223333 in eu-west-1, us-east-1".
func places(list []string, most int) string {
	var accounts []string
	regions := map[string][]string{}
	for _, p := range list {
		a, r, _ := strings.Cut(p, "/")
		if _, ok := regions[a]; !ok {
			accounts = append(accounts, a)
		}
		regions[a] = append(regions[a], r)
	}
	var out []string
	for i, a := range accounts {
		if i == most {
			out = append(out, plural(len(accounts)-i, "more account", "more accounts"))
			break
		}
		t := a
		if s := some(regions[a], most); s != "" {
			t += " in " + s
		}
		out = append(out, t)
	}
	return strings.Join(out, "; ")
}

// some joins the first values of a list and counts the others.
func some(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
