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
)

// ownState is what dewpoint's own small tables held before the sync.
type ownState struct {
	syncs   []syncRow
	started map[string]time.Time
	scopes  []scopeRow
	// byPlace are the scopes of an account and region.
	byPlace map[place][]int
	closed  map[sinks.Account]bool
}

type place struct{ cloud, account, region string }

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
	m.own = ownState{started: map[string]time.Time{}, byPlace: map[place][]int{}, closed: map[sinks.Account]bool{}}
	for _, a := range m.end.GoneAccounts {
		m.own.closed[a] = true
	}
	if err := m.loadSyncs(ctx); err != nil {
		return err
	}
	return m.loadScopeRows(ctx)
}

func (m *commit) loadSyncs(ctx context.Context) error {
	return readTable(ctx, m.t.sink.store, m.t.base.Files["syncs"], columnNames(syncColumns), func(cols []arrow.Array, _ int64, n int) error {
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

func columnNames(cols []schema.Column) []string {
	list := make([]string, len(cols))
	for i, c := range cols {
		list[i] = c.Name
	}
	return list
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
	return readTable(ctx, m.t.sink.store, m.t.base.Files["scopes"], columnNames(scopeColumns), func(cols []arrow.Array, _ int64, n int) error {
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
			m.own.byPlace[r.place] = append(m.own.byPlace[r.place], len(m.own.scopes))
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
	for _, i := range o.byPlace[place{cloud, account, region}] {
		r := &o.scopes[i]
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

type askedKey struct {
	place place
	kind  string
}

type askedSum struct{ scopes, bad, rows, calls int64 }

// applyScopes brings the table scopes to what this sync saw. The complete
// kinds of an account and region share one row; a row is rewritten only when
// its state or counts change.
func (m *commit) applyScopes(ctx context.Context) error {
	asked := map[askedKey]*askedSum{}
	places := map[place][]string{} // the kinds asked for
	ask := func(p place, kind string) *askedSum {
		k := askedKey{p, kind}
		if asked[k] == nil {
			asked[k] = &askedSum{}
			places[p] = append(places[p], kind)
		}
		return asked[k]
	}
	for i := range m.ends {
		e := &m.ends[i]
		a := ask(place{e.cloud, e.account, e.region}, m.kinds[e.kind].ks.Name)
		a.scopes++
		a.rows += e.rows
		a.calls += e.calls
		if e.state != schema.Complete {
			a.bad++
		}
	}
	if err := m.withoutParents(ctx, asked, ask); err != nil {
		return err
	}
	sync, now := m.t.sync.ID.String(), m.now.UnixMicro()
	next := make([]scopeRow, 0, len(m.own.scopes))
	plain := map[place]*scopeRow{}
	lists := map[string][]string{}
	for p, kinds := range places {
		slices.Sort(kinds)
		r := &scopeRow{sync: sync, place: p, state: string(schema.Complete), last: now}
		defs := md5.New()
		for _, kind := range kinds {
			a := asked[askedKey{p, kind}]
			if a.bad > 0 {
				continue
			}
			if len(r.kinds) > 0 {
				defs.Write([]byte{','})
			}
			defs.Write([]byte(m.next.cat.byName(kind).Definition))
			r.kinds = append(r.kinds, kind)
			r.scopes += a.scopes
			r.rows += a.rows
			r.calls += a.calls
		}
		if len(r.kinds) == 0 {
			continue
		}
		key := strings.Join(r.kinds, "\n")
		if have, ok := lists[key]; ok {
			r.kinds = have
		} else {
			lists[key] = r.kinds
		}
		r.def = hex.EncodeToString(defs.Sum(nil))
		plain[p] = r
	}
	// Rows that stand as they are, and old ones that keep the kinds that were
	// not asked for.
	for i := range m.own.scopes {
		r := m.own.scopes[i]
		if r.kind != "" {
			continue
		}
		covered := places[r.place]
		if covered == nil {
			next = append(next, r)
			continue
		}
		if p := plain[r.place]; p != nil && slices.Equal(leftOver(r.kinds, covered), nil) && slices.Equal(p.kinds, r.kinds) && p.scopes == r.scopes && p.rows == r.rows && p.def == r.def {
			r.last = now
			next = append(next, r)
			delete(plain, r.place)
			continue
		}
		if left := leftOver(r.kinds, covered); len(left) > 0 {
			r.kinds = left
			next = append(next, r)
		}
	}
	for _, p := range plain {
		next = append(next, *p)
	}
	next = m.oddScopes(next, asked)
	slices.SortFunc(next, func(a, b scopeRow) int {
		return cmp.Or(cmp.Compare(a.place.cloud, b.place.cloud), cmp.Compare(a.place.account, b.place.account), cmp.Compare(a.place.region, b.place.region),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.parent, b.parent), cmp.Compare(strings.Join(a.kinds, ","), strings.Join(b.kinds, ",")))
	})
	return m.writeScopes(next)
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

// oddScopes adds the scopes that did not end well, row by row.
func (m *commit) oddScopes(next []scopeRow, asked map[askedKey]*askedSum) []scopeRow {
	type oddKey struct {
		place        place
		kind, parent string
	}
	odd := map[oddKey]*scopeEnd{}
	var order []oddKey
	for i := range m.ends {
		e := &m.ends[i]
		if e.state == schema.Complete {
			continue
		}
		k := oddKey{place{e.cloud, e.account, e.region}, m.kinds[e.kind].ks.Name, e.parent}
		if odd[k] == nil {
			order = append(order, k)
		}
		odd[k] = e
	}
	known := map[[2]string]bool{} // accounts that were entered, in this sync or before
	askedKinds := map[string]bool{}
	for k := range asked {
		askedKinds[k.kind] = true
		if k.place.region != "*" {
			known[[2]string{"now", k.place.account}] = true
		}
	}
	for i := range m.own.scopes {
		if r := &m.own.scopes[i]; r.place.region != "*" {
			known[[2]string{"before", r.place.account}] = true
		}
	}
	stand := map[oddKey]bool{}
	for i := range m.own.scopes {
		r := m.own.scopes[i]
		if r.kind == "" {
			continue
		}
		k := oddKey{r.place, r.kind, r.parent}
		e := odd[k]
		if asked[askedKey{r.place, r.kind}] != nil && (e == nil || string(e.state) != r.state || e.rows != r.rows || e.code != r.code) {
			continue
		}
		if r.place.region == "*" && askedKinds[r.kind] && e == nil &&
			(known[[2]string{"now", r.place.account}] || !known[[2]string{"before", r.place.account}]) {
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
			sync: m.t.sync.ID.String(), place: k.place, kind: k.kind, parent: k.parent, hasParent: k.parent != "", state: string(e.state), scopes: 1,
			rows: e.rows, calls: e.calls, err: e.err, code: e.code, request: e.request, seconds: e.seconds, hasSeconds: true,
			def: m.next.cat.byName(k.kind).Definition,
		}
		if at, ok := m.own.lastComplete(k.kind, k.place.cloud, k.place.account, k.place.region); ok {
			r.last = at.UnixMicro()
		}
		next = append(next, r)
	}
	return next
}

// withoutParents takes a kind that is listed for each of another as asked for,
// and complete, where the other one is complete and has no rows.
func (m *commit) withoutParents(ctx context.Context, asked map[askedKey]*askedSum, ask func(place, string) *askedSum) error {
	byName := map[string]*kindCommit{}
	for _, k := range m.kinds {
		byName[k.ks.Name] = k
	}
	for _, k := range m.parentsFirst() {
		parent := byName[k.ks.Parent]
		if parent == nil {
			continue
		}
		var missing []place
		for a, sum := range asked {
			if a.kind == k.ks.Parent && sum.bad == 0 && asked[askedKey{a.place, k.ks.Name}] == nil {
				missing = append(missing, a.place)
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
			return err
		}
		for _, p := range missing {
			if !has[p] {
				ask(p, k.ks.Name)
			}
		}
	}
	return nil
}

func (m *commit) writeScopes(rows []scopeRow) error {
	w, err := m.newRowWriter(scopeColumns, "scopes", "")
	if err != nil {
		return err
	}
	defer w.abort()
	for i := range rows {
		r := &rows[i]
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
		if err := w.added(200); err != nil {
			return err
		}
	}
	return m.replace(w, "scopes")
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
		accounts[m.ends[i].account] = true
	}
	var rows []problem
	changed := false
	err := readTable(ctx, m.t.sink.store, m.t.base.Files["problems"], columnNames(problemColumns), func(cols []arrow.Array, _ int64, n int) error {
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
		if err := w.added(2000); err != nil {
			return err
		}
	}
	return m.replace(w, "kinds")
}
