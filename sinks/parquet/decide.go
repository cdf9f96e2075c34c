package parquet

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// A row after the sync is one that stands in the old files, a staged one, or
// one made of both: a patch.
type patch struct {
	old    uint32 // the row before
	staged int32  // the staged row it is compared with, -1 for none
	scope  uint32 // the scope it names from now on, none to keep it
	change string // how it ends, empty if it stays
	// ref is the row in its place, found by comparing.
	ref ref
}

// ref names a row: where it lies, and which one it is.
type ref uint32

const (
	refStaged = ref(0) << 30
	refOld    = ref(1) << 30
	refPatch  = ref(2) << 30
	refMask   = ref(3) << 30
	noRef     = ref(math.MaxUint32)
)

// decide says what becomes of each row of the kind and has its files written.
func (k *kindCommit) decide(ctx, wctx context.Context) error {
	table := ""
	if k.was != nil {
		table = k.was.Name
	}
	if k.staged() == 0 && !k.mayEnd() && !k.rename && !k.rewrite {
		if k.ks.Known != nil {
			k.sum.Unchanged = int64(k.ks.Known.Seen())
		}
		k.sum.Rows = k.ks.Had
		return nil
	}
	var err error
	if k.ks.Had > 0 {
		if k.old, err = k.loadOld(ctx, table); err != nil {
			return err
		}
	}
	if k.sight, err = k.loadSightings(ctx); err != nil {
		return err
	}
	k.endParents()
	fresh := k.choose()
	k.applySightings()
	k.applyGone()
	if err := k.compare(ctx); err != nil {
		return err
	}
	if k.ks.Known != nil {
		k.sum.Unchanged += int64(k.ks.Known.Seen())
	}
	if err := k.writeSightings(ctx); err != nil {
		return err
	}
	k.readings = nil
	err = k.write(ctx, wctx, fresh)
	k.old, k.sight = nil, nil
	return err
}

// mayEnd says whether rows of the kind can end without a reading.
func (k *kindCommit) mayEnd() bool {
	if k.ks.Had == 0 || k.dropped {
		return false
	}
	if k.ks.Parent != "" && len(k.gone[k.ks.Parent]) > 0 {
		return true
	}
	if k.ks.Known != nil && k.ks.Known.Seen() == k.ks.Known.Rows() {
		// A scope that is complete may still end sightings.
		return k.next.rows("sightings", k.ks.Name) > 0
	}
	if len(k.commit.end.GoneAccounts) > 0 {
		return true
	}
	for _, e := range k.ends {
		if e.complete {
			return true
		}
	}
	return false
}

func (k *kindCommit) done(scope uint32) bool { return k.ends[scope].complete }

// endParents takes the scopes of parents that are gone as complete: nobody has
// read them, and the scope without a parent, which says that all parents are
// known, is complete.
func (k *kindCommit) endParents() {
	if k.ks.Parent == "" || k.ks.Had == 0 {
		return
	}
	whole := map[string]bool{}
	for scope, e := range k.ends {
		if e.complete && !e.parent {
			whole[k.t.scopes.list[scope]] = true
		}
	}
	if len(whole) == 0 {
		return
	}
	seen := map[uint32]bool{}
	check := func(scope uint32) {
		if seen[scope] {
			return
		}
		seen[scope] = true
		text := k.t.scopes.list[scope]
		if _, asked := k.ends[scope]; asked || len(text) < 37 {
			return
		}
		if cut := len(text) - 37; text[cut] == '/' && whole[text[:cut]] {
			k.ends[scope] = end{complete: true, parent: true, derived: true}
		}
	}
	for _, s := range k.old.scope {
		check(s)
	}
	k.sight.all(func(_ [16]byte, scope uint32) { check(scope) })
}

// choose decides by the readings what becomes of each row that was read. It
// returns the staged rows that are new.
func (k *kindCommit) choose() (fresh []uint32) {
	r := k.readings
	if r == nil {
		return nil
	}
	k.applied = make([]uint8, k.ks.Rows)
	for i := range r.ids {
		if r.flags[i]&readSecond != 0 {
			continue
		}
		head := uint32(i)
		row, known := uint32(0), false
		if k.old != nil {
			row, known = k.old.lookup.find(&r.ids[i])
		}
		if !known {
			if pos, ok := k.chooseNew(head); ok {
				fresh = append(fresh, pos)
			}
			continue
		}
		k.chooseOld(head, row)
	}
	return fresh
}

func (k *kindCommit) chooseNew(head uint32) (uint32, bool) {
	r := k.readings
	win := k.best(head, none)
	r.each(head, func(i uint32) {
		if r.scope[i] != none && r.scope[i] != r.scope[win] {
			k.sight.see(r.ids[head], r.scope[i])
		}
	})
	pos := r.pos[win]
	if pos < 0 {
		return 0, false
	}
	k.applied[pos] = appliedNew
	k.sum.New++
	if r.flags[win]&readUnread != 0 {
		k.applied[pos] |= appliedUnread
		k.sum.Unread++
	}
	return uint32(pos), true
}

func (k *kindCommit) chooseOld(head, row uint32) {
	r, o := k.readings, k.old
	o.flags[row] |= oldSeen
	named := o.scope[row]
	win := k.best(head, named)
	scope, owner := r.scope[win], r.flags[win]&readOwner != 0
	ownSeen := k.ks.Known != nil && k.ks.Known.Unchanged(r.ids[head][:])
	mine := o.flags[row]&oldOwner != 0
	done := k.done(named)
	unread := r.flags[win]&readUnread != 0
	keep, same := false, false
	switch {
	case ownSeen && (mine || !owner):
		keep = true
	case mine && !owner && !done && scope != named:
		keep = true
	case r.pos[win] < 0:
		same = true
	case len(k.ks.Volatile) == 0 && r.hash[win] == o.hash[row] && !unread && o.flags[row]&oldUnread == 0:
		same = true
	}
	final := named
	if !keep && scope != none {
		final = scope
	}
	r.each(head, func(i uint32) {
		if r.scope[i] != none && r.scope[i] != final {
			k.sight.see(r.ids[head], r.scope[i])
		}
	})
	moves := !keep && scope != none && scope != named
	if moves {
		if ownSeen || !done {
			k.sight.see(r.ids[head], named)
		}
		k.moved[r.ids[head]] = scope
	}
	if keep || same {
		if !ownSeen {
			k.sum.Unchanged++
		}
		if moves {
			k.patched = append(k.patched, patch{old: row, staged: -1, scope: scope})
		}
		return
	}
	k.applied[r.pos[win]] = appliedChanged
	if unread {
		k.applied[r.pos[win]] |= appliedUnread
	}
	k.patched = append(k.patched, patch{old: row, staged: r.pos[win], scope: none})
}

// applyGone ends rows: those that no scope has any more, those of closed
// accounts, and those whose parent went.
func (k *kindCommit) applyGone() {
	o := k.old
	if o == nil || k.dropped {
		return
	}
	orphans := k.gone[k.ks.Parent]
	if k.ks.Parent == "" {
		orphans = nil
	}
	ended := map[[16]byte]string{}
	patches := map[uint32]int{}
	if len(orphans) > 0 {
		for i, p := range k.patched {
			patches[p.old] = i
		}
	}
	for row := range o.n {
		scope := o.scope[row]
		change := ""
		if o.flags[row]&oldSeen == 0 && (k.ks.Known == nil || !k.ks.Known.Reported(o.ids[row][:])) {
			change, scope = k.unseen(uint32(row), patches)
		}
		if len(orphans) > 0 && change != "account_closed" {
			now := scope
			if i, ok := patches[uint32(row)]; ok && k.patched[i].scope != none {
				now = k.patched[i].scope
			}
			if parent, ok := textTail(k.t.scopes.list[now]); ok && orphans[parent] != "" {
				change = orphans[parent]
			}
		}
		if change == "" {
			continue
		}
		o.flags[row] |= oldEnded
		ended[o.ids[row]] = change
		k.sight.drop(o.ids[row])
		if i, ok := patches[uint32(row)]; ok {
			k.patched[i].change = change
			continue
		}
		k.patched = append(k.patched, patch{old: uint32(row), staged: -1, scope: none, change: change})
	}
	k.sum.Gone = int64(len(ended))
	if len(ended) > 0 {
		k.gone[k.ks.Name] = ended
	}
}

// unseen says how a row ends that no scope reported, if it does, and which
// scope it names.
func (k *kindCommit) unseen(row uint32, patches map[uint32]int) (change string, scope uint32) {
	o := k.old
	scope = o.scope[row]
	if len(k.own.closed) > 0 && k.own.closed[sinks.Account{Cloud: k.ks.Cloud, ID: k.accounts.list[o.owner[row]]}] {
		return "account_closed", scope
	}
	if !k.done(scope) {
		return "", scope
	}
	// Absent from its scope, but seen by another: that one has it now.
	if other := k.sight.first(o.ids[row]); other != none {
		k.sight.remove(o.ids[row], other)
		k.moved[o.ids[row]] = other
		patches[row] = len(k.patched)
		k.patched = append(k.patched, patch{old: row, staged: -1, scope: other})
		return "", other
	}
	if k.def.DefinitionSince.After(k.lastRead(scope, o.sync[row])) {
		return "out_of_scope", scope
	}
	return "deleted", scope
}

// lastRead is when a row's scope was last complete, or else when the row was
// written.
func (k *kindCommit) lastRead(scope, sync uint32) time.Time {
	text := k.t.scopes.list[scope]
	if at, ok := k.own.lastComplete(k.was.Name, part(text, 0), part(text, 1), part(text, 2)); ok {
		return at
	}
	return k.syncTime(sync)
}

// syncTime is when a sync began.
func (m *commit) syncTime(sync uint32) time.Time {
	if sync == none {
		return time.Time{}
	}
	text := m.syncIDs.list[sync]
	if at, ok := m.own.started[text]; ok {
		return at
	}
	id, err := uuid.Parse(text)
	if err != nil || id.Version() != 7 {
		return time.Time{}
	}
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	return time.UnixMilli(ms).UTC()
}
