package parquet

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// sightings are the scopes that report a kind's rows beside the ones that the
// rows name.
type sightings struct {
	scopes  *names
	byID    map[[16]byte][]uint32
	seen    map[sighting]bool // in this sync
	changed bool
}

type sighting struct {
	id    [16]byte
	scope uint32
}

func (k *kindCommit) loadSightings(ctx context.Context) (*sightings, error) {
	s := &sightings{scopes: &k.t.scopes, byID: map[[16]byte][]uint32{}, seen: map[sighting]bool{}}
	err := readTable(ctx, k.t.sink.store, k.next.of("sightings", k.ks.Name), []string{"_id", "_scope"}, func(cols []arrow.Array, _ int64, n int) error {
		ids, scopes := cols[0].(*array.String), cols[1].(*array.String)
		for i := range n {
			id, ok := parseUUID(ids.Value(i))
			if !ok {
				return fmt.Errorf("%q is no _id", ids.Value(i))
			}
			s.byID[id] = append(s.byID[id], s.scopes.number(scopes.Value(i)))
		}
		return nil
	})
	return s, err
}

// see notes that a scope reported a row in this sync.
func (s *sightings) see(id [16]byte, scope uint32) { s.seen[sighting{id, scope}] = true }

func (s *sightings) all(f func(id [16]byte, scope uint32)) {
	for id, scopes := range s.byID {
		for _, scope := range scopes {
			f(id, scope)
		}
	}
}

// keep removes the sightings that f does not want.
func (s *sightings) keep(f func(id [16]byte, scope uint32) bool) {
	for id, scopes := range s.byID {
		var left []uint32
		for _, scope := range scopes {
			if f(id, scope) {
				left = append(left, scope)
			}
		}
		if len(left) == len(scopes) {
			continue
		}
		s.changed = true
		if left == nil {
			delete(s.byID, id)
			continue
		}
		s.byID[id] = left
	}
}

// first is the sighting whose scope's text comes first, none if there is none.
func (s *sightings) first(id [16]byte) uint32 {
	best := uint32(none)
	for _, scope := range s.byID[id] {
		if best == none || s.scopes.list[scope] < s.scopes.list[best] {
			best = scope
		}
	}
	return best
}

func (s *sightings) remove(id [16]byte, scope uint32) {
	var left []uint32
	for _, have := range s.byID[id] {
		if have != scope {
			left = append(left, have)
		}
	}
	s.changed = s.changed || len(left) != len(s.byID[id])
	s.byID[id] = left
	if left == nil {
		delete(s.byID, id)
	}
}

func (s *sightings) drop(id [16]byte) {
	if s.byID[id] != nil {
		s.changed = true
		delete(s.byID, id)
	}
}

// applySightings ends the sightings whose scopes are complete and do not have
// the row any more, and enters the new ones.
func (k *kindCommit) applySightings() {
	s := k.sight
	s.keep(func(id [16]byte, scope uint32) bool {
		if k.done(scope) && !s.seen[sighting{id, scope}] {
			return false
		}
		to, moved := k.moved[id]
		return !moved || to != scope
	})
	for n := range s.seen {
		have := false
		for _, scope := range s.byID[n.id] {
			have = have || scope == n.scope
		}
		if !have {
			s.changed = true
			s.byID[n.id] = append(s.byID[n.id], n.scope)
		}
	}
	k.endClosed(s)
}

// endClosed ends the sightings by accounts that are closed.
func (m *commit) endClosed(s *sightings) {
	if len(m.own.closed) == 0 {
		return
	}
	s.keep(func(_ [16]byte, scope uint32) bool {
		text := s.scopes.list[scope]
		return !m.own.closed[sinks.Account{Cloud: part(text, 0), ID: part(text, 1)}]
	})
}

// writeSightings writes the kind's sightings where they changed.
func (k *kindCommit) writeSightings(context.Context) error {
	if !k.sight.changed && !k.rename {
		return nil
	}
	w, err := k.newRowWriter(sightingColumns, "sightings", k.ks.Name)
	if err != nil {
		return err
	}
	defer w.abort()
	var failed error
	k.sight.all(func(id [16]byte, scope uint32) {
		for i, v := range [...]string{textUUID(id), k.ks.Name, k.t.scopes.list[scope]} {
			w.builder.Field(i).(*array.StringBuilder).Append(v)
		}
		if err := w.added(120); err != nil && failed == nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	files, err := w.close()
	if err == nil {
		k.next.set("sightings", k.ks.Name, files)
	}
	return err
}
