package snowflake

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/dewpoint-data/dewpoint/schema"
)

// scopes are what a sync saw of its scopes, in the form of the table scopes:
// the complete kinds of an account and region share one row.
type scopes struct {
	asked map[place]map[string]*askedKind
	odd   []oddScope
	// done has the scopes that are complete; a scope that was reported twice
	// is complete if both say so.
	done map[int32]map[uint64]bool
	// complete counts done by kind.
	complete          map[int32]int
	total, incomplete int64
}

type place struct{ cloud, account, region string }

type askedKind struct{ scopes, bad, rows, calls int64 }

// oddScope is a scope that is not complete.
type oddScope struct {
	place
	kind, parent, state    string
	rows, calls            int64
	error, code, requestID string
	duration               float64
}

// readScopes collects the staged scopes.
func (t *tx) readScopes() (*scopes, error) {
	s := &scopes{asked: map[place]map[string]*askedKind{}, done: map[int32]map[uint64]bool{}, complete: map[int32]int{}}
	in := t.file.Scopes()
	for in.Next() {
		rec := in.RecordBatch()
		text := func(col, i int) string {
			if rec.Column(col).IsNull(i) {
				return ""
			}
			return strings.Clone(rec.Column(col).(*array.String).Value(i))
		}
		kinds, hashes := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Uint64)
		rows, calls := rec.Column(8).(*array.Int64), rec.Column(9).(*array.Int64)
		durations := rec.Column(13).(*array.Float64)
		for i := range kinds.Len() {
			index := kinds.Value(i)
			kind := t.Kinds()[index].Name
			p := place{text(3, i), text(4, i), text(5, i)}
			a := s.ask(p, kind)
			a.scopes++
			a.rows += rows.Value(i)
			a.calls += calls.Value(i)
			state := schema.State(text(7, i))
			s.total++
			if state != schema.Complete && state != schema.NotApplicable {
				s.incomplete++
			}
			if s.done[index] == nil {
				s.done[index] = map[uint64]bool{}
			}
			was, twice := s.done[index][hashes.Value(i)]
			s.done[index][hashes.Value(i)] = state == schema.Complete && (was || !twice)
			if state != schema.Complete {
				a.bad++
				s.odd = append(s.odd, oddScope{
					place: p, kind: kind, parent: text(6, i), state: string(state), rows: rows.Value(i), calls: calls.Value(i),
					error: text(10, i), code: text(11, i), requestID: text(12, i), duration: durations.Value(i),
				})
			}
		}
	}
	for kind, all := range s.done {
		for _, ok := range all {
			if ok {
				s.complete[kind]++
			}
		}
	}
	return s, in.Err()
}

func (s *scopes) ask(p place, kind string) *askedKind {
	if s.asked[p] == nil {
		s.asked[p] = map[string]*askedKind{}
	}
	a := s.asked[p][kind]
	if a == nil {
		a = &askedKind{}
		s.asked[p][kind] = a
	}
	return a
}

// withoutParents takes a kind that is listed for each of another as asked for,
// and complete, where the other one is complete and has no rows.
func (s *scopes) withoutParents(kinds []*schema.Kind) {
	byName := map[string]*schema.Kind{}
	for _, k := range kinds {
		byName[k.Name] = k
	}
	var visit func(k *schema.Kind)
	visit = func(k *schema.Kind) {
		parent := byName[k.Parent]
		if parent == nil {
			return
		}
		visit(parent)
		for _, asked := range s.asked {
			if p := asked[parent.Name]; p != nil && p.bad == 0 && p.rows == 0 && asked[k.Name] == nil {
				asked[k.Name] = &askedKind{}
			}
		}
	}
	for _, k := range kinds {
		visit(k)
	}
}

// scopeRow is a row of the table scopes.
type scopeRow struct {
	place
	kind, parent, state string
	kinds               []string
	scopes, rows, calls int64
	error, code         string
	requestID           string
	duration            float64
	definition          string
	last                string // last_complete
	kindsText           string // kinds as it is stored
	syncID              string
}

// plain makes the rows of the complete kinds.
func (s *scopes) plain(definitions map[string]string) map[place]*scopeRow {
	all := map[place]*scopeRow{}
	for p, asked := range s.asked {
		r := &scopeRow{place: p, state: string(schema.Complete)}
		var defs []string
		for _, kind := range sortedKeys(asked) {
			a := asked[kind]
			if a.bad > 0 {
				continue
			}
			r.kinds = append(r.kinds, kind)
			r.scopes += a.scopes
			r.rows += a.rows
			r.calls += a.calls
			defs = append(defs, definitions[kind])
		}
		if len(r.kinds) > 0 {
			r.definition = digest(strings.Join(defs, ","))
			all[p] = r
		}
	}
	return all
}

// digest is the same where the table would stay as it is, but for the time.
func (s *scopes) digest(plain map[place]*scopeRow, definitions map[string]string) string {
	var sum xxh3.Uint128
	add := func(parts ...string) {
		h := xxh3.HashString128(strings.Join(parts, "\x00"))
		sum.Lo += h.Lo
		sum.Hi += h.Hi
	}
	for p, r := range plain {
		add("plain", p.cloud, p.account, p.region, strings.Join(r.kinds, ","), number(r.scopes), number(r.rows), r.definition)
	}
	for _, o := range s.odd {
		add("odd", o.cloud, o.account, o.region, o.kind, o.parent, o.state, number(o.rows), o.code, definitions[o.kind])
	}
	return fmt.Sprintf("%016x%016x", sum.Hi, sum.Lo)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// scopesQuery reads the table for scopeChanges.
const scopesQuery = `SELECT cloud, account, region, kind, parent, state, TO_JSON(kinds), scopes::VARCHAR, "ROWS"::VARCHAR, calls::VARCHAR,
	error, code, request_id, TO_JSON(duration_seconds), definition_hash, DATE_PART(EPOCH_MICROSECOND, last_complete)::VARCHAR, sync_id FROM scopes`

// readStoredScopes reads the table scopes.
func readStoredScopes(ctx context.Context, c *conn) ([]*scopeRow, error) {
	var all []*scopeRow
	err := c.each(ctx, scopesQuery, func(r []string) error {
		s := &scopeRow{
			place: place{r[0], r[1], r[2]}, kind: r[3], parent: r[4], state: r[5], error: r[10], code: r[11], requestID: r[12],
			definition: r[14], syncID: r[16],
		}
		s.kindsText = r[6]
		if r[6] != "" {
			if err := json.Unmarshal([]byte(r[6]), &s.kinds); err != nil {
				return fmt.Errorf("the table scopes: kinds %q: %w", r[6], err)
			}
		}
		for i, to := range []*int64{&s.scopes, &s.rows, &s.calls} {
			*to, _ = strconv.ParseInt(r[7+i], 10, 64)
		}
		s.duration, _ = strconv.ParseFloat(r[13], 64)
		s.last = r[15]
		all = append(all, s)
		return nil
	})
	return all, err
}

// scopeChanges are what a sync does to the table scopes.
type scopeChanges struct {
	stands []*scopeRow // only their time is new
	ends   []*scopeRow
	added  []*scopeRow
	// all says that every row of complete kinds stands.
	all bool
}

// changes compares what was seen with the table. A row is rewritten only when
// its state or counts change.
func (s *scopes) changes(stored []*scopeRow, plain map[place]*scopeRow, definitions map[string]string, sync, now string) *scopeChanges {
	c := &scopeChanges{all: true}
	type key struct {
		place
		kind string
	}
	last := map[key]string{} // when a kind was last complete, as the table says
	oddLast := map[key][]string{}
	for _, r := range stored {
		if r.kind != "" {
			k := key{r.place, r.kind}
			oddLast[k] = append(oddLast[k], r.last)
			continue
		}
		for _, kind := range r.kinds {
			last[key{r.place, kind}] = max(last[key{r.place, kind}], r.last)
		}
	}
	for k, all := range oddLast {
		if !slices.Contains(all, "") {
			last[k] = max(last[k], slices.Min(all))
		}
	}
	oddNow := map[scopeID]*oddScope{}
	for i := range s.odd {
		oddNow[s.odd[i].id()] = &s.odd[i]
	}
	kept := map[scopeID]bool{}
	standing := map[place]bool{}
	for _, r := range stored {
		if r.kind == "" {
			c.plainRow(s, r, plain[r.place], standing)
			continue
		}
		id := scopeID{r.place, r.kind, r.parent}
		o := oddNow[id]
		same := o != nil && o.state == r.state && o.rows == r.rows && o.code == r.code
		if !same && s.covers(r, stored) {
			c.ends = append(c.ends, r)
			continue
		}
		kept[id] = true
	}
	for _, p := range sortedPlaces(plain) {
		if !standing[p] {
			r := *plain[p]
			r.syncID, r.last = sync, now
			c.added = append(c.added, &r)
		}
	}
	for i := range s.odd {
		o := &s.odd[i]
		if kept[o.id()] {
			continue
		}
		c.added = append(c.added, &scopeRow{
			place: o.place, kind: o.kind, parent: o.parent, state: o.state, scopes: 1, rows: o.rows, calls: o.calls, error: o.error, code: o.code,
			requestID: o.requestID, duration: o.duration, definition: definitions[o.kind], last: last[key{o.place, o.kind}], syncID: sync,
		})
	}
	return c
}

// plainRow decides about a stored row of complete kinds.
func (c *scopeChanges) plainRow(s *scopes, r, now *scopeRow, standing map[place]bool) {
	asked := s.asked[r.place]
	var left []string
	for _, kind := range r.kinds {
		if asked[kind] == nil {
			left = append(left, kind)
		}
	}
	switch {
	case now != nil && !standing[r.place] && slices.Equal(now.kinds, r.kinds) && now.scopes == r.scopes && now.rows == r.rows && now.definition == r.definition:
		c.stands = append(c.stands, r)
		standing[r.place] = true
		return
	case len(left) < len(r.kinds):
		c.ends = append(c.ends, r)
		if len(left) > 0 {
			rest := *r
			rest.kinds = left
			c.added = append(c.added, &rest)
		}
	}
	c.all = false
}

// covers says whether the sync has something newer to say about a stored row
// of a scope that was not complete. An account that could not be entered
// ("*") was now, under its own name where that was not known before.
func (s *scopes) covers(r *scopeRow, stored []*scopeRow) bool {
	if s.asked[r.place][r.kind] != nil {
		return true
	}
	if r.region != "*" {
		return false
	}
	askedKind, entered := false, false
	for p, kinds := range s.asked {
		askedKind = askedKind || kinds[r.kind] != nil
		entered = entered || p.account == r.account && p.region != "*"
	}
	known := slices.ContainsFunc(stored, func(o *scopeRow) bool { return o.account == r.account && o.region != "*" })
	return askedKind && (entered || !known)
}

// mark tells the rows of complete kinds of a place apart.
func (r *scopeRow) mark() string { return digest(r.kindsText) }

type scopeID struct {
	place
	kind, parent string
}

func (o *oddScope) id() scopeID { return scopeID{o.place, o.kind, o.parent} }

func sortedPlaces(m map[place]*scopeRow) []place {
	all := make([]place, 0, len(m))
	for p := range m {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.cloud, b.cloud), cmp.Compare(a.account, b.account), cmp.Compare(a.region, b.region))
	})
	return all
}

// document is a new row as the narrow table carries it.
func (r *scopeRow) document() string {
	doc := map[string]any{
		"sync_id": r.syncID, "cloud": r.cloud, "account": r.account, "region": r.region, "state": r.state,
		"scopes": r.scopes, "rows": r.rows, "calls": r.calls, "definition_hash": r.definition,
	}
	for name, v := range map[string]string{"kind": r.kind, "parent": r.parent, "error": r.error, "code": r.code, "request_id": r.requestID} {
		if v != "" {
			doc[name] = v
		}
	}
	if r.kind == "" {
		doc["kinds"] = r.kinds
	} else {
		doc["duration_seconds"] = r.duration
	}
	if r.last != "" {
		micros, _ := strconv.ParseInt(r.last, 10, 64)
		doc["last_complete"] = timeText(unixMicro(micros))
	}
	return mustJSON(doc)
}
