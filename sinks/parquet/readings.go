package parquet

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
)

// readings are the staged readings of a kind. Those of one row are linked: the
// first is the row's, and found by its id.
type readings struct {
	ids    [][16]byte
	hash   [][16]byte
	pos    []int32 // among the kind's staged rows, -1 if only the reading counts
	scope  []uint32
	flags  []uint8
	next   []uint32 // another reading of the same row, none at the end
	lookup *idTable
}

const (
	readOwner = 1 << iota
	readUnread
	readSecond // another reading of the row came before
)

// loadReadings sorts the staged readings by kind.
func (m *commit) loadReadings() error {
	in := m.t.Readings()
	for in.Next() {
		rec := in.RecordBatch()
		kinds, pos := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Int64)
		ids, hashes := rec.Column(2).(*array.FixedSizeBinary), rec.Column(3).(*array.FixedSizeBinary)
		scopes := rec.Column(4).(*array.Uint64)
		owner, unread := rec.Column(5).(*array.Boolean), rec.Column(6).(*array.Boolean)
		for i := range kinds.Len() {
			k := m.kinds[kinds.Value(i)]
			r := k.readings
			if r == nil {
				n := int(k.ks.Rows)
				r = &readings{
					ids: make([][16]byte, 0, n), hash: make([][16]byte, 0, n), pos: make([]int32, 0, n),
					scope: make([]uint32, 0, n), flags: make([]uint8, 0, n),
				}
				k.readings = r
			}
			var flags uint8
			if owner.Value(i) {
				flags |= readOwner
			}
			if unread.Value(i) {
				flags |= readUnread
			}
			scope, ok := m.scopeByHash[scopes.Value(i)]
			if !ok {
				scope = none
			}
			r.ids, r.hash = append(r.ids, [16]byte(ids.Value(i))), append(r.hash, [16]byte(hashes.Value(i)))
			r.pos, r.scope, r.flags = append(r.pos, int32(pos.Value(i))), append(r.scope, scope), append(r.flags, flags)
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("load what was staged: %w", err)
	}
	for _, k := range m.kinds {
		k.link()
	}
	return nil
}

// link finds the readings of the same rows and counts rows that one scope
// reported twice with different values.
func (k *kindCommit) link() {
	r := k.readings
	if r == nil {
		return
	}
	r.lookup = newIDTable(&r.ids, len(r.ids))
	twice := map[uint32]bool{}
	for i := range r.ids {
		head, fresh := r.lookup.add(uint32(i))
		if fresh {
			if r.next != nil {
				r.next = append(r.next, none)
			}
			continue
		}
		if r.next == nil {
			r.next = make([]uint32, i, len(r.ids))
			for j := range r.next {
				r.next[j] = none
			}
		}
		for j := head; j != none; j = r.next[j] {
			if r.scope[j] == r.scope[i] && !bytes.Equal(r.hash[j][:], r.hash[i][:]) {
				twice[head] = true
			}
		}
		r.flags[i] |= readSecond
		r.next = append(r.next, r.next[head])
		r.next[head] = uint32(i)
	}
	for head := range twice {
		k.problems.Duplicate(k.ks.Kind, r.ids[head])
	}
}

// each calls f with every reading of the row whose first one is head.
func (r *readings) each(head uint32, f func(i uint32)) {
	for i := head; i != none; i = r.next[i] {
		f(i)
		if r.next == nil {
			return
		}
	}
}

// best picks the reading that counts: the owner's wins, then that of the scope
// that the row names, the first by name, and within a scope the last.
func (k *kindCommit) best(head uint32, named uint32) uint32 {
	r := k.readings
	win := head
	r.each(head, func(i uint32) {
		if i != head && k.better(i, win, named) {
			win = i
		}
	})
	return win
}

func (k *kindCommit) better(a, b, named uint32) bool {
	r := k.readings
	if x, y := r.flags[a]&readOwner, r.flags[b]&readOwner; x != y {
		return x > y
	}
	if x, y := r.scope[a] == named, r.scope[b] == named; x != y {
		return x
	}
	if x, y := r.scope[a], r.scope[b]; x != y {
		if x == none || y == none {
			return y == none
		}
		return k.t.scopes.list[x] < k.t.scopes.list[y]
	}
	return r.pos[a] > r.pos[b]
}

// whole says whether the kind's readings name every row once, so that all its
// staged rows are new where the table had none.
func (k *kindCommit) staged() int {
	if k.readings == nil {
		return 0
	}
	return len(k.readings.ids)
}

// scopeEnd is how a scope of a kind ended.
type scopeEnd struct {
	kind               int32
	scope              uint32
	place              place
	parent             string
	state              schema.State
	rows, calls        int64
	err, code, request string
	seconds            float64
}

// loadScopes reads how the scopes ended.
func (m *commit) loadScopes() error {
	in := m.t.Scopes()
	var intern names
	text := func(a *array.String, i int) string { return intern.list[intern.number(a.Value(i))] }
	for in.Next() {
		rec := in.RecordBatch()
		str := func(c int) *array.String { return rec.Column(c).(*array.String) }
		kinds, hashes := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Uint64)
		rows, calls := rec.Column(8).(*array.Int64), rec.Column(9).(*array.Int64)
		seconds := rec.Column(13).(*array.Float64)
		for i := range kinds.Len() {
			e := scopeEnd{
				kind: kinds.Value(i), scope: m.t.scopes.number(str(2).Value(i)), place: place{text(str(3), i), text(str(4), i), text(str(5), i)},
				parent: text(str(6), i), state: schema.State(text(str(7), i)), rows: rows.Value(i), calls: calls.Value(i),
				err: text(str(10), i), code: text(str(11), i), request: text(str(12), i), seconds: seconds.Value(i),
			}
			if have, ok := m.scopeByHash[hashes.Value(i)]; ok && have != e.scope {
				return fmt.Errorf("two scopes have the same 64-bit hash under this sync's seed: run the sync again")
			}
			m.scopeByHash[hashes.Value(i)] = e.scope
			m.ends = append(m.ends, e)
			k := m.kinds[e.kind]
			if k.ends == nil {
				k.ends = map[uint32]end{}
			}
			was, again := k.ends[e.scope]
			k.ends[e.scope] = end{complete: e.state == schema.Complete && (!again || was.complete), parent: e.parent != ""}
		}
	}
	return in.Err()
}

// end is how a scope ended for one kind, the worst of its reports.
type end struct {
	complete bool
	parent   bool // it is the scope of one parent
	derived  bool // nobody read it: its parent is gone
}
