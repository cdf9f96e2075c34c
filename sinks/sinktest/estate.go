package sinktest

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// EstateSync is one sync of an estate.
type EstateSync struct {
	number int
	run    run
}

// Kinds are those of the sync.
func (e EstateSync) Kinds() []*schema.Kind { return e.run.kinds }

// Run writes the sync into a sink. The same sync has the same rows, times and
// ids whatever it is written to.
func (e EstateSync) Run(ctx context.Context, s sinks.Sink) (sinks.Summary, error) {
	at := syncTime(e.number)
	tx, err := s.Begin(ctx, sinks.Sync{ID: uuidV7(at, e.number), StartedAt: at, Version: "1.0.0", Kinds: e.run.kinds})
	if err != nil {
		return sinks.Summary{}, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := e.run.write(ctx, tx); err != nil {
		return sinks.Summary{}, err
	}
	return tx.Commit(ctx, sinks.Outcome{FinishedAt: at.Add(time.Minute), GoneAccounts: e.run.closed})
}

// Estate is an awkward estate in three syncs: values of every type at their
// limits, references of every kind, rows that two accounts report, children of
// parents; then rows that change, move, go, come twice and come unread,
// scopes that fail, a column more, a column less, and a closed account. It is
// the same every time.
func Estate() []EstateSync {
	e := estate{
		odd: every(), box: box(), host: host(), role: role(), counter: counter(), cluster: cluster(), service: service(),
		vm: newKind("aws_test_vm", column("type", schema.Text), column("state", schema.Text), column("memory_mb", schema.Int64), column("key", schema.Text)),
	}
	e.odd.Columns = append(e.odd.Columns, column("select", schema.Text))
	e.vm.Base = &schema.Base{Name: "instance", Columns: map[string]schema.BaseColumn{
		"instance_type": {Column: "type"}, "instance_memory_bytes": {Column: "memory_mb", Scale: 1 << 20},
		"instance_status": {Column: "state", Values: map[string]string{"on": "running", "off": "stopped"}},
	}}
	return []EstateSync{{1, e.first()}, {2, e.second()}, {3, e.third()}}
}

// estate makes the syncs of Estate.
type estate struct {
	odd, box, host, role, counter, cluster, service, vm *schema.Kind
}

func (e *estate) kinds() []*schema.Kind {
	return kinds(e.host, e.odd, e.service, e.box, e.role, e.counter, e.cluster, e.vm)
}

var places = []struct{ account, region string }{{accountA, west}, {accountA, east}, {accountB, west}, {accountC, west}}

// oddRows are rows with a value of each pool in each column. shift gives each
// another value.
func (e *estate) oddRows(n, shift int) []Row {
	return repeat(n, func(i int) Row {
		row := Row{ID: fmt.Sprintf("odd-%02d", i), Values: map[string]any{}}
		for j, c := range e.odd.Columns {
			pool := pools[c.Type]
			if v := pool[(i+j+shift)%len(pool)]; v != nil {
				row.Values[c.Name] = v
			}
		}
		texts := pools[schema.Text]
		if name, ok := texts[(i+shift)%len(texts)].(string); ok {
			row.Name = name
		}
		if tags, ok := pools[schema.TextMap][i%len(pools[schema.TextMap])].(map[string]string); ok {
			row.Tags = tags
		}
		if at, ok := pools[schema.Timestamp][i%len(pools[schema.Timestamp])].(time.Time); ok {
			row.Created = at
		}
		return row
	})
}

// boxes are the boxes of a place.
func (e *estate) boxes(place, n int) []Row {
	return repeat(n, func(i int) Row {
		return Row{ID: fmt.Sprintf("b%d", i), Name: fmt.Sprintf("box %d", i%7), Tags: map[string]string{"place": fmt.Sprint(place)}}.
			With("size", int64(i*place)).With("color", []string{"red", "green", "blue"}[i%3])
	})
}

// hosts refer to boxes of their own and of other places, to roles, by name,
// by urn, and to what is not there.
func (e *estate) hosts(place, n, shift int) []Row {
	return repeat(n, func(i int) Row {
		at := places[(place+i)%len(places)]
		return Row{ID: fmt.Sprintf("h%d", i), Refs: []Ref{
			{0, fmt.Sprintf("b%d", i+shift)},
			{0, fmt.Sprintf("nobody-%d", i)},
			{1, fmt.Sprintf("box %d", (i+shift)%9)},
			{2, fmt.Sprintf("arn:aws:test:%s:%s:b%d", at.region, at.account, i)},
			{3, []string{"deploy", "audit", "ghost"}[i%3]},
		}}.With("size", int64(i)).With("box", fmt.Sprintf("b%d", i%3))
	})
}

// plain are the reads of a sync in which all is well. They differ from sync to
// sync by what the callers change in them.
func (e *estate) plain(shift int) []read {
	var all []read
	add := func(k *schema.Kind, place int, rows []Row) {
		all = append(all, read{scope: scopeOf(k, places[place].account, places[place].region), rows: rows})
	}
	for p := range places {
		add(e.box, p, e.boxes(p, 12+p))
		add(e.host, p, e.hosts(p, 8, shift))
		add(e.counter, p, repeat(5, func(i int) Row {
			return Row{ID: fmt.Sprintf("c%d", i), Tags: map[string]string{}}.With("size", int64(i)).With("hits", int64(100*shift+i)).With("policy", fmt.Sprintf(`{"n":%d}`, i))
		}))
	}
	add(e.odd, 0, e.oddRows(24, 0))
	for _, account := range []string{accountA, accountB} {
		all = append(all, read{
			scope: schema.Scope{Cloud: "aws", Account: account, Region: "global", Kind: e.role.Name},
			rows:  []Row{{ID: "deploy"}, {ID: "audit", Created: time.Date(2020, 2, 29, 0, 0, 0, 1000, time.UTC)}},
		})
	}
	add(e.cluster, 0, []Row{{ID: "p1"}, {ID: "p2"}, {ID: "p3"}})
	all = append(all, children(e.service, "p1", "", "s1", "s2"), children(e.service, "p2", "", "s3"), children(e.service, "p3", ""))
	add(e.vm, 0, []Row{
		{ID: "vm1", Values: map[string]any{"type": "big", "state": "on", "memory_mb": int64(3 << 20)}},
		{ID: "vm2", Values: map[string]any{"type": "small", "state": "melting"}},
	})
	// The disk of account A that B sees, too.
	shared := Row{ID: "shared", Account: accountA, Tags: map[string]string{"from": "A"}}.With("size", int64(1))
	all[0].rows = append(all[0].rows, shared)
	all[6].rows = append(all[6].rows, shared)
	return all
}

func (e *estate) first() run {
	reads := e.plain(0)
	reads[3].state, reads[3].code = schema.Denied, "AccessDenied" // boxes of A in the east
	reads[3].rows = nil
	return run{kinds: e.kinds(), reads: reads}
}

func (e *estate) second() run {
	reads := e.plain(1)
	for i := range reads {
		r := &reads[i]
		switch {
		case r.scope.Kind == e.odd.Name:
			// Every value changes in half of the rows, one goes, one comes.
			changed := e.oddRows(25, 1)
			for j := range r.rows {
				if j%2 == 0 {
					changed[j] = r.rows[j]
				}
			}
			r.rows = changed[1:]
		case r.scope.Kind == e.box.Name && r.scope.Account == accountB:
			// B reports boxes twice, some of them otherwise, and two are gone.
			r.pages = [][]Row{{r.rows[0], r.rows[1].With("size", int64(-1)), r.rows[1].With("size", int64(-2))}, {r.rows[2]}}
			r.rows = slices.Clone(r.rows[:len(r.rows)-3])
		case r.scope.Kind == e.counter.Name && r.scope.Account == accountC:
			for j := range r.rows {
				if j%2 == 0 {
					values := maps.Clone(r.rows[j].Values)
					delete(values, "policy")
					r.rows[j].Values, r.rows[j].Unread, r.rows[j].Tags = values, []string{"policy", "tags"}, nil
				}
			}
			r.problems = []schema.Problem{{Kind: e.counter.Name, Account: accountC, Region: west, Call: "GetPolicy", Column: "policy", Code: "AccessDenied", Count: 3, Sample: "no \x00 entry \xff"}}
		case r.scope.Kind == e.host.Name && r.scope.Account == accountC:
			r.state, r.code, r.rows = schema.Throttled, "Slow Down", r.rows[:2]
		case r.scope.Kind == e.cluster.Name:
			r.rows = r.rows[1:] // p1 is gone
		case strings.HasSuffix(r.scope.ID(), ID(e.cluster, accountA, west, "p1").String()):
			r.state = "-"
			r.rows = nil
		}
	}
	return run{kinds: e.kinds(), reads: reads}
}

func (e *estate) third() run {
	// Boxes get a column, hosts lose one.
	more := redefine(e.box, "2", column("weight", schema.Float64))
	less := redefine(e.host, "1")
	less.Columns = less.Columns[:1]
	e.box, e.host = more, less
	reads := e.plain(2)
	for i := range reads {
		r := &reads[i]
		switch {
		case r.scope.Account == accountC:
			r.state, r.rows = schema.Unreachable, nil
		case r.scope.Kind == e.box.Name:
			for j := range r.rows {
				if j%3 == 0 {
					r.rows[j] = r.rows[j].With("weight", float64(j)/7)
				}
			}
			if r.scope.Region == west && r.scope.Account == accountA {
				r.rows = slices.Delete(r.rows, len(r.rows)-1, len(r.rows)) // A has shared no more
			}
		case r.scope.Kind == e.role.Name && r.scope.Account == accountB:
			r.rows = append(r.rows[:1], Row{ID: "ghost"})
		case r.scope.Kind == e.vm.Name:
			r.rows = append(r.rows[1:], Row{ID: "vm3"}.With("state", "off"))
		}
	}
	return run{kinds: e.kinds(), reads: reads, closed: []sinks.Account{{Cloud: "aws", ID: accountC}}}
}

// pools hold values of each type that break encoders.
var pools = map[schema.Type][]any{
	schema.Bool:    {true, false, nil},
	schema.Int64:   {int64(0), int64(math.MaxInt64), int64(math.MinInt64), int64(3e9), int64(1<<53 + 1), int64(-1), nil},
	schema.Float64: {0.1, -0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e15, 123456789.123456, 1e-5, 0.0, nil, 1.0 / 3},
	schema.Text: {
		"plain", "", nil, " outer spaces ", "NULL", "null", `\N`, `\x00ff`, "{a,b}", `"quoted", 'too'`, "tab\tnew\nline\rreturn", `C:\path\new`,
		"ünïcödé", "e\u0301 is not \u00e9", "🜁 𝕏 👩‍👩‍👧", "\ufffd", "\u2028\u2029\u0085\u00a0", "\x01\x02\x7f", "\u202eright to left", "%s $1 ? :x @y {z}",
		"--; DROP TABLE resources", "1e5", "true", "2026-01-01", strings.Repeat("long ", 100), "A", "a", "-",
	},
	schema.Timestamp: {
		time.Date(2026, 3, 29, 1, 30, 0, 123456000, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), nil,
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Unix(0, 0), time.Date(2000, 2, 29, 12, 0, 0, 0, time.UTC), time.Date(1582, 10, 10, 0, 0, 0, 1000, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 59, 59, 10000, time.UTC), time.Date(1883, 11, 18, 12, 3, 58, 0, time.UTC),
	},
	schema.JSON: {
		`{"a":[1,2.5,null,{"b":"ü"}],"z":9007199254740993}`, nil, `null`, `{}`, `[]`, `"text"`, `"null"`, `true`, `0`, `-12.5`, `18446744073709551615`, `[[[[[[]]]]]]`,
		`{"":"empty key","a b":1,"quote\"":"back\\slash","tab\t":"\u0001\ufffd","é":"🜁"}`, `{"B":1,"a":2,"aa":3,"b":4}`, `[1e5,1.50,1E-7,0.1]`, `{"Id":"NULL","n":null}`,
	},
	schema.TextMap: {
		map[string]string{"owner": "me", "Owner": "you", "": "empty key", "é": "ü"},
		nil,
		map[string]string{},
		map[string]string{`k"ey,{}`: `v\al'ue`, "aws:x/y": "", "z": "NULL"},
		map[string]string{"aa": "2", "b": "1", "B": "0"},
		map[string]string{"\ufffd": "\ufffd", "new\nline": "\t"},
	},
	schema.BoolList:    {[]bool{true, false}, nil, []bool{}, []bool{true}},
	schema.Int64List:   {[]int64{math.MinInt64, 0, math.MaxInt64}, nil, []int64{}, []int64{3e9}},
	schema.Float64List: {[]float64{0.1, -1e300, 5e-324}, nil, []float64{}, []float64{0}},
	schema.TextList: {
		[]string{"a", "", "NULL", "b,c", `"q"`, `{}`, `\`, "é 🜁", "null"}, nil, []string{}, []string{""}, []string{"NULL"}, []string{"a", "a"}, []string{"\ufffd\n"},
	},
	schema.TimestampList: {[]time.Time{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)}, nil, []time.Time{}, []time.Time{time.Unix(0, 1000)}},
}
