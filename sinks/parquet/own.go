package parquet

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// ownState is what dewpoint's own small tables held before the sync.
type ownState struct {
	syncs   []syncRow
	started map[string]time.Time
	scopes  []scopeRow // in the order of their places
	closed  map[sinks.Account]bool
}

type place struct{ cloud, account, region string }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.cloud, q.cloud), cmp.Compare(p.account, q.account), cmp.Compare(p.region, q.region))
}

func compareScopes(a, b scopeRow) int {
	return cmp.Or(a.place.compare(b.place), cmp.Compare(a.kind, b.kind), cmp.Compare(a.parent, b.parent), slices.Compare(a.kinds, b.kinds))
}

// at are the scopes of a place.
func (o *ownState) at(p place) []scopeRow {
	from, _ := slices.BinarySearchFunc(o.scopes, p, func(r scopeRow, p place) int { return r.place.compare(p) })
	to := from
	for to < len(o.scopes) && o.scopes[to].place == p {
		to++
	}
	return o.scopes[from:to]
}

type syncRow struct {
	id                string
	started, finished int64
	version, state    string
	counts            [10]int64
}

// scopeRow is a row of scopes. The complete kinds of a place share one, which
// has kinds; all others have a kind.
type scopeRow struct {
	sync                    string
	place                   place
	kind, parent            string
	hasParent               bool
	state                   string
	kinds                   []string
	scopes, rows, calls     int64
	err, code, request, def string
	seconds                 float64
	hasSeconds              bool
	last                    int64 // microseconds, 0 for never
}

func (m *commit) loadOwn(ctx context.Context) error {
	m.own = ownState{started: map[string]time.Time{}, closed: map[sinks.Account]bool{}}
	for _, a := range m.end.GoneAccounts {
		m.own.closed[a] = true
	}
	if err := m.loadSyncs(ctx); err != nil {
		return err
	}
	return m.loadScopeRows(ctx)
}

func (m *commit) loadSyncs(ctx context.Context) error {
	return readTable(ctx, m.t.sink.store, m.t.base.Files["syncs"], tables.ColumnNames(syncColumns), func(cols []arrow.Array, _ int64, n int) error {
		for i := range n {
			r := syncRow{
				id: textAt(cols[0], i), started: timeAt(cols[1], i), finished: timeAt(cols[2], i), version: textAt(cols[3], i), state: textAt(cols[4], i),
			}
			for j := range r.counts {
				r.counts[j] = intAt(cols[5+j], i)
			}
			m.own.syncs = append(m.own.syncs, r)
			m.own.started[r.id] = time.UnixMicro(r.started).UTC()
		}
		return nil
	})
}

func textAt(a arrow.Array, i int) string {
	if a == nil || a.IsNull(i) {
		return ""
	}
	return strings.Clone(a.(*array.String).Value(i))
}

func timeAt(a arrow.Array, i int) int64 {
	if a == nil || a.IsNull(i) {
		return 0
	}
	return int64(a.(*array.Timestamp).Value(i))
}

func intAt(a arrow.Array, i int) int64 {
	if a == nil || a.IsNull(i) {
		return 0
	}
	return a.(*array.Int64).Value(i)
}

func (m *commit) loadScopeRows(ctx context.Context) error {
	var intern names
	text := func(a arrow.Array, i int) string {
		if a == nil || a.IsNull(i) {
			return ""
		}
		return intern.list[intern.number(a.(*array.String).Value(i))]
	}
	lists := map[string][]string{}
	m.own.scopes = make([]scopeRow, 0, m.t.base.rows("scopes", ""))
	defer func() { slices.SortStableFunc(m.own.scopes, compareScopes) }()
	return readTable(ctx, m.t.sink.store, m.t.base.Files["scopes"], tables.ColumnNames(scopeColumns), func(cols []arrow.Array, _ int64, n int) error {
		for i := range n {
			r := scopeRow{
				sync: text(cols[0], i), place: place{text(cols[1], i), text(cols[2], i), text(cols[3], i)}, kind: m.nameOf(text(cols[4], i)),
				parent: text(cols[5], i), hasParent: !cols[5].IsNull(i), state: text(cols[6], i), scopes: intAt(cols[8], i), rows: intAt(cols[9], i),
				calls: intAt(cols[10], i), err: text(cols[11], i), code: text(cols[12], i), request: text(cols[13], i),
				hasSeconds: !cols[14].IsNull(i), def: text(cols[15], i), last: timeAt(cols[16], i),
			}
			if r.hasSeconds {
				r.seconds = cols[14].(*array.Float64).Value(i)
			}
			if r.kind == "" {
				kinds := listValues(cols[7].(*array.List), i)
				for j := range kinds {
					kinds[j] = m.nameOf(kinds[j])
				}
				slices.Sort(kinds)
				key := strings.Join(kinds, "\n")
				if have, ok := lists[key]; ok {
					kinds = have
				} else {
					for j := range kinds {
						kinds[j] = strings.Clone(kinds[j])
					}
					lists[strings.Clone(key)] = kinds
				}
				r.kinds = kinds
			}
			m.own.scopes = append(m.own.scopes, r)
		}
		return nil
	})
}

// lastComplete is when the kind was last read completely in a place, as the
// view scope_freshness has it.
func (o *ownState) lastComplete(kind, cloud, account, region string) (time.Time, bool) {
	var plain, odd int64
	never, any := false, false
	here := o.at(place{cloud, account, region})
	for i := range here {
		r := &here[i]
		switch {
		case r.kind == "":
			if _, ok := slices.BinarySearch(r.kinds, kind); ok {
				plain = max(plain, r.last)
			}
		case r.kind == kind:
			any = true
			if r.last == 0 {
				never = true
			} else if odd == 0 || r.last < odd {
				odd = r.last
			}
		}
	}
	if any && never {
		odd = 0
	}
	last := max(plain, odd)
	return time.UnixMicro(last).UTC(), last != 0
}

// asked is what a sync saw of a kind in a place.
type asked struct {
	kind                     string
	scopes, bad, rows, calls int64
}

// applyScopes brings the table scopes to what this sync saw, place by place.
// The complete kinds of an account and region share one row; a row is
// rewritten only when its state or counts change.
func (m *commit) applyScopes(ctx context.Context) error {
	slices.SortStableFunc(m.ends, func(a, b scopeEnd) int {
		return cmp.Or(a.place.compare(b.place), cmp.Compare(m.kinds[a.kind].ks.Name, m.kinds[b.kind].ks.Name))
	})
	orphans, err := m.withoutParents(ctx)
	if err != nil {
		return err
	}
	entered := m.enteredAccounts()
	w, err := m.newRowWriter(scopeColumns, "scopes", "")
	if err != nil {
		return err
	}
	defer w.abort()
	ends, old := m.ends, m.own.scopes
	for len(ends) > 0 || len(old) > 0 {
		var p place
		switch {
		case len(ends) == 0, len(old) > 0 && old[0].place.compare(ends[0].place) < 0:
			p = old[0].place
		default:
			p = ends[0].place
		}
		n := 0
		for n < len(ends) && ends[n].place == p {
			n++
		}
		k := 0
		for k < len(old) && old[k].place == p {
			k++
		}
		next := m.scopesAt(p, ends[:n], old[:k], orphans[p], entered)
		slices.SortFunc(next, compareScopes)
		for i := range next {
			if err := w.scope(&next[i]); err != nil {
				return err
			}
		}
		ends, old = ends[n:], old[k:]
	}
	return m.replace(w, "scopes")
}

// scopesAt are the rows of a place after the sync.
func (m *commit) scopesAt(p place, ends []scopeEnd, old []scopeRow, orphans []string, entered enteredAccounts) []scopeRow {
	seen := m.askedAt(ends, orphans)
	var next []scopeRow
	plain := m.plainScope(p, seen)
	covered := make([]string, len(seen))
	for i := range seen {
		covered[i] = seen[i].kind
	}
	// Rows that stand as they are, and old ones that keep the kinds that were
	// not asked for.
	for _, r := range old {
		if r.kind != "" {
			continue
		}
		left := leftOver(r.kinds, covered)
		switch {
		case len(covered) == 0:
		case plain != nil && slices.Equal(plain.kinds, r.kinds) && plain.scopes == r.scopes && plain.rows == r.rows && plain.def == r.def:
			r.last = m.now.UnixMicro()
			plain = nil
		case len(left) == 0:
			continue
		default:
			r.kinds = left
		}
		next = append(next, r)
	}
	if plain != nil {
		next = append(next, *plain)
	}
	return m.oddScopes(next, p, ends, old, covered, entered)
}

// askedAt sums up what was seen of each kind, in the order of their names.
func (m *commit) askedAt(ends []scopeEnd, orphans []string) []asked {
	var seen []asked
	for i := range ends {
		e := &ends[i]
		name := m.kinds[e.kind].ks.Name
		if len(seen) == 0 || seen[len(seen)-1].kind != name {
			seen = append(seen, asked{kind: name})
		}
		a := &seen[len(seen)-1]
		a.scopes++
		a.rows += e.rows
		a.calls += e.calls
		if e.state != schema.Complete {
			a.bad++
		}
	}
	for _, kind := range orphans {
		seen = append(seen, asked{kind: kind})
	}
	slices.SortFunc(seen, func(a, b asked) int { return cmp.Compare(a.kind, b.kind) })
	return seen
}

// plainScope is the row of the complete kinds, nil if there are none.
func (m *commit) plainScope(p place, seen []asked) *scopeRow {
	r := &scopeRow{sync: m.t.sync.ID.String(), place: p, state: string(schema.Complete), last: m.now.UnixMicro()}
	defs := md5.New()
	for _, a := range seen {
		if a.bad > 0 {
			continue
		}
		if len(r.kinds) > 0 {
			defs.Write([]byte{','})
		}
		defs.Write([]byte(m.next.cat.byName(a.kind).Definition))
		r.kinds = append(r.kinds, a.kind)
		r.scopes += a.scopes
		r.rows += a.rows
		r.calls += a.calls
	}
	if len(r.kinds) == 0 {
		return nil
	}
	r.def = hex.EncodeToString(defs.Sum(nil))
	return r
}

// leftOver are the kinds that are not covered; both are sorted.
func leftOver(kinds, covered []string) []string {
	var left []string
	for _, k := range kinds {
		if _, ok := slices.BinarySearch(covered, k); !ok {
			left = append(left, k)
		}
	}
	return left
}

// enteredAccounts are the accounts of which more than that they could not be
// entered is known: from this sync, and from before.
type enteredAccounts struct {
	now, before map[string]bool
	kinds       map[string]bool // that were asked for
}

func (m *commit) enteredAccounts() enteredAccounts {
	e := enteredAccounts{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for i := range m.ends {
		e.kinds[m.kinds[m.ends[i].kind].ks.Name] = true
		if m.ends[i].place.region != "*" {
			e.now[m.ends[i].place.account] = true
		}
	}
	for i := range m.own.scopes {
		if m.own.scopes[i].place.region != "*" {
			e.before[m.own.scopes[i].place.account] = true
		}
	}
	return e
}

// oddScopes adds the scopes that did not end well, row by row.
func (m *commit) oddScopes(next []scopeRow, p place, ends []scopeEnd, old []scopeRow, covered []string, entered enteredAccounts) []scopeRow {
	type oddKey struct{ kind, parent string }
	odd := map[oddKey]*scopeEnd{}
	var order []oddKey
	for i := range ends {
		e := &ends[i]
		if e.state == schema.Complete {
			continue
		}
		k := oddKey{m.kinds[e.kind].ks.Name, e.parent}
		if odd[k] == nil {
			order = append(order, k)
		}
		odd[k] = e
	}
	stand := map[oddKey]bool{}
	for _, r := range old {
		if r.kind == "" {
			continue
		}
		k := oddKey{r.kind, r.parent}
		e := odd[k]
		_, read := slices.BinarySearch(covered, r.kind)
		if read && (e == nil || string(e.state) != r.state || e.rows != r.rows || e.code != r.code) {
			continue
		}
		// An account that could not be entered was now, under its own name
		// where that was not known before.
		if p.region == "*" && entered.kinds[r.kind] && e == nil && (entered.now[p.account] || !entered.before[p.account]) {
			continue
		}
		stand[k] = true
		next = append(next, r)
	}
	for _, k := range order {
		if stand[k] {
			continue
		}
		e := odd[k]
		r := scopeRow{
			sync: m.t.sync.ID.String(), place: p, kind: k.kind, parent: k.parent, hasParent: k.parent != "", state: string(e.state), scopes: 1,
			rows: e.rows, calls: e.calls, err: e.err, code: e.code, request: e.request, seconds: e.seconds, hasSeconds: true,
			def: m.next.cat.byName(k.kind).Definition,
		}
		if at, ok := m.own.lastComplete(k.kind, p.cloud, p.account, p.region); ok {
			r.last = at.UnixMicro()
		}
		next = append(next, r)
	}
	return next
}

// withoutParents lists, by place, the kinds that are listed for each of
// another one, were not asked for, and are complete, because the other one is
// complete and has no rows. Of the kinds of such a kind the same holds.
func (m *commit) withoutParents(ctx context.Context) (map[place][]string, error) {
	orphans := map[place][]string{}
	byName := map[string]*kindCommit{}
	for _, k := range m.kinds {
		byName[k.ks.Name] = k
	}
	type seen struct{ whole, any bool }
	places := map[string]map[place]seen{} // of parents and their children
	for _, k := range m.kinds {
		if byName[k.ks.Parent] != nil {
			places[k.ks.Name], places[k.ks.Parent] = map[place]seen{}, map[place]seen{}
		}
	}
	for i := range m.ends {
		e := &m.ends[i]
		if of := places[m.kinds[e.kind].ks.Name]; of != nil {
			was := of[e.place]
			of[e.place] = seen{whole: (was.whole || !was.any) && e.state == schema.Complete, any: true}
		}
	}
	for _, k := range m.parentsFirst() {
		if byName[k.ks.Parent] == nil {
			continue
		}
		var missing []place
		for p, s := range places[k.ks.Parent] {
			if s.whole && !places[k.ks.Name][p].any {
				missing = append(missing, p)
			}
		}
		if len(missing) == 0 {
			continue
		}
		has := map[place]bool{}
		err := readTable(ctx, m.t.sink.store, m.next.Files[k.ks.Parent], []string{"_scope"}, func(cols []arrow.Array, _ int64, n int) error {
			scopes := cols[0].(*array.String)
			for i := range n {
				if s := scopes.Value(i); i == 0 || s != scopes.Value(i-1) {
					has[place{strings.Clone(part(s, 0)), strings.Clone(part(s, 1)), strings.Clone(part(s, 2))}] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, p := range missing {
			if !has[p] {
				orphans[p] = append(orphans[p], k.ks.Name)
				places[k.ks.Name][p] = seen{true, true}
			}
		}
	}
	return orphans, nil
}

func (m *commit) writeScopes(rows []scopeRow) error {
	w, err := m.newRowWriter(scopeColumns, "scopes", "")
	if err != nil {
		return err
	}
	defer w.abort()
	for i := range rows {
		if err := w.scope(&rows[i]); err != nil {
			return err
		}
	}
	return m.replace(w, "scopes")
}

func (w *rowWriter) scope(r *scopeRow) error {
	b := rowBuilder{w.builder, 0}
	b.text(r.sync)
	b.text(r.place.cloud)
	b.text(r.place.account)
	b.text(r.place.region)
	b.orNull(r.kind)
	b.orNull(r.parent)
	b.text(r.state)
	b.texts(r.kinds)
	b.integer(r.scopes)
	b.integer(r.rows)
	b.integer(r.calls)
	b.orNull(r.err)
	b.orNull(r.code)
	b.orNull(r.request)
	b.float(r.seconds, r.hasSeconds)
	b.orNull(r.def)
	b.time(r.last)
	return w.added(200)
}

// replace makes what was written the table.
func (m *commit) replace(w *rowWriter, table string) error {
	files, err := w.close()
	if err != nil {
		return fmt.Errorf("write %s: %w", table, err)
	}
	m.next.Files[table] = files
	return nil
}

// rowBuilder appends the values of a row, column by column.
type rowBuilder struct {
	b *array.RecordBuilder
	i int
}

func (r *rowBuilder) field() array.Builder {
	r.i++
	return r.b.Field(r.i - 1)
}

func (r *rowBuilder) text(s string) { r.field().(*array.StringBuilder).Append(s) }

func (r *rowBuilder) orNull(s string) {
	if s == "" {
		r.field().AppendNull()
		return
	}
	r.text(s)
}

func (r *rowBuilder) integer(n int64) { r.field().(*array.Int64Builder).Append(n) }

func (r *rowBuilder) float(v float64, ok bool) {
	if !ok {
		r.field().AppendNull()
		return
	}
	r.field().(*array.Float64Builder).Append(v)
}

func (r *rowBuilder) time(us int64) {
	if us == 0 {
		r.field().AppendNull()
		return
	}
	r.field().(*array.TimestampBuilder).Append(arrow.Timestamp(us))
}

func (r *rowBuilder) texts(list []string) {
	l := r.field().(*array.ListBuilder)
	if list == nil {
		l.AppendNull()
		return
	}
	l.Append(true)
	for _, s := range list {
		l.ValueBuilder().(*array.StringBuilder).Append(s)
	}
}

// applyProblems replaces the problems of the kinds, accounts and regions that
// this sync read. One that is still there, as often, is not rewritten.
func (m *commit) applyProblems(ctx context.Context) error {
	type problem struct {
		key    stage.ProblemKey
		sync   string
		count  int64
		sample string
	}
	now := map[stage.ProblemKey]*stage.ProblemCount{}
	for k, c := range m.problems {
		for _, s := range []*string{&k.Kind, &k.Account, &k.Region, &k.Call, &k.Column, &k.Code} {
			*s = stage.CleanText(*s)
		}
		now[k] = c
	}
	kinds, accounts := map[string]bool{"": true}, map[string]bool{"": true}
	for _, k := range m.kinds {
		kinds[k.ks.Name] = true
	}
	for i := range m.ends {
		accounts[m.ends[i].place.account] = true
	}
	var rows []problem
	changed := false
	err := readTable(ctx, m.t.sink.store, m.t.base.Files["problems"], tables.ColumnNames(problemColumns), func(cols []arrow.Array, _ int64, n int) error {
		for i := range n {
			p := problem{
				key: stage.ProblemKey{
					Kind: textAt(cols[1], i), Account: textAt(cols[2], i), Region: textAt(cols[3], i), Call: textAt(cols[4], i),
					Column: textAt(cols[5], i), Code: textAt(cols[6], i),
				},
				sync: textAt(cols[0], i), count: intAt(cols[7], i), sample: textAt(cols[8], i),
			}
			still, ok := now[p.key]
			switch {
			case ok && still.Count == p.count, !ok && !(kinds[p.key.Kind] && accounts[p.key.Account]):
				delete(now, p.key)
				rows = append(rows, p)
			case kinds[p.key.Kind] && accounts[p.key.Account]:
				changed = true
			default: // counted otherwise, but not of what was read
				delete(now, p.key)
				rows = append(rows, p)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !changed && len(now) == 0 {
		return nil
	}
	for k, c := range now {
		rows = append(rows, problem{k, m.t.sync.ID.String(), c.Count, stage.CleanText(c.Sample)})
	}
	slices.SortFunc(rows, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.key.Kind, b.key.Kind), cmp.Compare(a.key.Account, b.key.Account), cmp.Compare(a.key.Region, b.key.Region),
			cmp.Compare(a.key.Call, b.key.Call), cmp.Compare(a.key.Column, b.key.Column), cmp.Compare(a.key.Code, b.key.Code))
	})
	w, err := m.newRowWriter(problemColumns, "problems", "")
	if err != nil {
		return err
	}
	defer w.abort()
	for _, p := range rows {
		b := rowBuilder{w.builder, 0}
		for _, s := range [...]string{p.sync, p.key.Kind, p.key.Account, p.key.Region, p.key.Call, p.key.Column, p.key.Code} {
			b.text(s)
		}
		b.integer(p.count)
		b.text(p.sample)
		if err := w.added(300); err != nil {
			return err
		}
	}
	return m.replace(w, "problems")
}

// applySync records the sync and ends what is older than the retention.
func (m *commit) applySync(context.Context) error {
	r := syncRow{id: m.t.sync.ID.String(), started: m.now.UnixMicro(), version: m.t.sync.Version, state: "complete"}
	r.finished = m.end.FinishedAt.UnixMicro()
	if m.end.FinishedAt.IsZero() {
		r.finished = r.started
	}
	var incomplete, problems int64
	for i := range m.ends {
		if s := m.ends[i].state; s != schema.Complete && s != schema.NotApplicable {
			incomplete++
		}
	}
	if incomplete > 0 {
		r.state = "partial"
	}
	for _, p := range m.problems {
		problems += p.Count
	}
	r.counts = [10]int64{0: int64(len(m.kinds)), 1: int64(len(m.ends)), 2: incomplete, 9: problems}
	for _, s := range m.sums {
		for j, n := range [...]int64{s.Rows, s.New, s.Changed, s.Gone, s.Unchanged, s.Unread} {
			r.counts[3+j] += n
		}
	}
	rows := append(m.own.syncs, r)
	if keep := m.t.sync.HistoryRetention; keep > 0 {
		until := m.now.Add(-keep).UnixMicro()
		rows = slices.DeleteFunc(rows, func(r syncRow) bool { return r.started < until })
	}
	w, err := m.newRowWriter(syncColumns, "syncs", "")
	if err != nil {
		return err
	}
	defer w.abort()
	for _, r := range rows {
		b := rowBuilder{w.builder, 0}
		b.text(r.id)
		b.time(r.started)
		b.time(r.finished)
		b.text(r.version)
		b.text(r.state)
		for _, n := range r.counts {
			b.integer(n)
		}
		if err := w.added(200); err != nil {
			return err
		}
	}
	return m.replace(w, "syncs")
}

// writeKindsTable writes the catalogue as the table kinds.
func (m *commit) writeKindsTable(context.Context) error {
	w, err := m.newRowWriter(kindColumns, "kinds", "")
	if err != nil {
		return err
	}
	defer w.abort()
	for _, k := range m.next.cat.Kinds {
		b := rowBuilder{w.builder, 0}
		b.text(k.Name)
		b.text(k.Key)
		b.text(k.Definition)
		b.time(k.DefinitionSince.UnixMicro())
		since := b.field().(*array.MapBuilder)
		since.Append(true)
		for _, c := range k.Columns {
			name := c.Name
			if c.Left {
				name = "-" + name
			}
			since.KeyBuilder().(*array.StringBuilder).Append(name)
			since.ItemBuilder().(*array.StringBuilder).Append(timestampText(c.Since.UnixMicro()))
		}
		b.text(k.Layout)
		b.text(k.Parent)
		base, edges := "", "null"
		if k.Base != nil {
			j, err := json.Marshal(k.Base)
			if err != nil {
				return err
			}
			base = string(j)
		}
		if k.Edges != nil {
			j, err := json.Marshal(k.Edges)
			if err != nil {
				return err
			}
			edges = string(j)
		}
		b.orNull(base)
		b.text(edges)
		b.text(k.Cloud)
		b.text(tables.Declaration(k.kind()))
		if err := w.added(2000); err != nil {
			return err
		}
	}
	return m.replace(w, "kinds")
}
