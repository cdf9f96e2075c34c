package parquet

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/dewpoint-data/dewpoint/schema"
)

// How an edge was resolved, or why not.
const (
	notCollected = iota
	byURN
	byID
	byName
	ambiguous
	gone
)

var resolutionNames = [...]string{"not_collected", "urn", "id", "name", "ambiguous", "gone"}

func resolutionNamed(s string) uint8 {
	for i, n := range resolutionNames {
		if n == s {
			return uint8(i)
		}
	}
	return notCollected
}

// reference is what an edge refers to and, once resolved, what that is.
type reference struct {
	ref     xxh3.Uint128 // of the text; where regionName, of the name in it
	kind    uint32       // the kind it should be of, none for any
	account uint32
	region  uint32 // the referrer's; where regionName, the one in the text
	byName  bool
	mayURN  bool // the text may be a urn
	// regionName says that it is compared with region and name, and with
	// nothing else.
	regionName bool

	resolution uint8
	found      uint32 // the kind of the referent
	to         [16]byte
}

// mayBeURN says whether a reference has what a urn has and an id seldom: a
// colon, a slash or a UUID's length.
func mayBeURN(s string) bool {
	return len(s) == 36 || strings.ContainsAny(s, ":/")
}

// resolver finds what references name, by unique match only, the narrowest
// first. The first step that finds anything decides; if it finds several, none
// is taken.
type resolver struct {
	m        *commit
	kinds    names
	accounts names
	regions  names
	global   uint32
}

func (m *commit) newResolver() *resolver {
	r := &resolver{m: m}
	r.global = r.regions.number("global")
	return r
}

func (r *resolver) reference(to, ref, account, region string, match schema.Match) reference {
	q := reference{kind: none, account: r.accounts.number(account)}
	if to != "" {
		q.kind = r.kinds.number(to)
	}
	switch match {
	case schema.MatchRegionName:
		q.regionName = true
		if at, name, ok := strings.Cut(ref, "/"); ok {
			q.ref, q.region = xxh3.HashString128(name), r.regions.number(at)
		} else {
			q.kind = none // it names nothing
		}
	default:
		q.ref, q.region = xxh3.HashString128(ref), r.regions.number(region)
		q.byName, q.mayURN = match == schema.MatchName, mayBeURN(ref)
	}
	return q
}

// The steps, each with a key of its own.
const (
	stepURN = iota + 1
	stepRegion
	stepName
	stepAccount
	stepEstate
)

type matchKey struct{ hi, lo uint64 }

func keyOf(step int, h xxh3.Uint128, kind, account, region uint32) matchKey {
	a := h.Lo ^ (uint64(kind)<<8|uint64(step))*0x9e3779b97f4a7c15
	b := h.Hi ^ (uint64(account)<<32|uint64(region))*0xbf58476d1ce4e5b9
	a ^= b >> 32
	a *= 0x94d049bb133111eb
	b ^= a >> 29
	b *= 0xff51afd7ed558ccd
	return matchKey{a ^ b>>31, b ^ a>>33}
}

// match counts the rows with a key and keeps one of them.
type match struct {
	key  matchKey
	n    uint8
	kind uint32
	id   [16]byte
}

// matches is a table of keys that are looked for.
type matches struct {
	slots []match
}

func newMatches(n int) *matches {
	size := 16
	for size < n+n/2 {
		size *= 2
	}
	return &matches{slots: make([]match, size)}
}

func (t *matches) slot(k matchKey) *match {
	mask := uint64(len(t.slots) - 1)
	for i := k.lo & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.key == k || s.key == (matchKey{}) {
			return s
		}
	}
}

func (t *matches) want(k matchKey) { t.slot(k).key = k }

func (t *matches) count(k matchKey, id *[16]byte, kind uint32) {
	s := t.slot(k)
	if s.key != k {
		return
	}
	if s.n < 2 {
		s.n++
	}
	s.id, s.kind = *id, kind
}

// resolveAtOnce is how many references are looked for in one reading: as many
// as a table of half a million keys takes.
const resolveAtOnce = 349_000

// resolve resolves references.
func (r *resolver) resolve(ctx context.Context, refs []reference) error {
	for len(refs) > 0 {
		n := min(len(refs), resolveAtOnce)
		if err := r.resolveSome(ctx, refs[:n]); err != nil {
			return fmt.Errorf("resolve edges: %w", err)
		}
		refs = refs[n:]
	}
	return nil
}

// resolveSome looks first where nearly all are found: urns, ids in the
// referrer's own account and region, and names in the region that the
// reference has. What is left takes the wider steps.
func (r *resolver) resolveSome(ctx context.Context, refs []reference) error {
	urns, named := 0, false
	for i := range refs {
		if refs[i].mayURN {
			urns++
		}
		named = named || refs[i].regionName
	}
	t := newMatches(len(refs) + urns)
	want := r.wanted(refs)
	for i := range refs {
		q := &refs[i]
		if q.mayURN {
			t.want(keyOf(stepURN, q.ref, q.kind, 0, 0))
		}
		if q.kind != none {
			t.want(keyOf(q.firstStep(), q.ref, q.kind, q.account, q.region))
		}
	}
	err := r.rows(ctx, want, urns > 0, named, func(row *resourceRow) {
		t.count(keyOf(stepRegion, row.id, row.kind, row.account, row.region), &row.uuid, row.kind)
		if named && row.hasName {
			t.count(keyOf(stepName, row.name, row.kind, row.account, row.region), &row.uuid, row.kind)
		}
		if urns > 0 && row.hasURN {
			t.count(keyOf(stepURN, row.urn, row.kind, 0, 0), &row.uuid, row.kind)
			t.count(keyOf(stepURN, row.urn, none, 0, 0), &row.uuid, row.kind)
		}
	})
	if err != nil {
		return err
	}
	var left []*reference
	for i := range refs {
		q := &refs[i]
		q.resolution = notCollected
		if q.mayURN && q.take(t, stepURN, byURN, 0, 0) {
			continue
		}
		switch {
		case q.kind == none:
		case q.regionName:
			q.take(t, stepName, byName, q.account, q.region)
		case !q.take(t, stepRegion, byID, q.account, q.region):
			left = append(left, q)
		}
	}
	for len(left) > 0 {
		n := min(len(left), resolveAtOnce/4)
		if err := r.resolveLeft(ctx, left[:n]); err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// firstStep is the first step but for urns.
func (q *reference) firstStep() int {
	if q.regionName {
		return stepName
	}
	return stepRegion
}

// take sets the outcome if the step found anything.
func (q *reference) take(t *matches, step int, how uint8, account, region uint32) bool {
	s := t.slot(keyOf(step, q.ref, q.kind, account, region))
	switch {
	case s.n == 0:
		return false
	case s.n > 1:
		q.resolution = ambiguous
	default:
		q.resolution, q.to, q.found = how, s.id, s.kind
	}
	return true
}

func (r *resolver) resolveLeft(ctx context.Context, refs []*reference) error {
	t := newMatches(4 * len(refs))
	want := map[uint32]bool{}
	named := false
	for _, q := range refs {
		want[q.kind] = true
		if q.byName {
			named = true
			t.want(keyOf(stepName, q.ref, q.kind, q.account, q.region))
			t.want(keyOf(stepName, q.ref, q.kind, q.account, r.global))
		}
		t.want(keyOf(stepAccount, q.ref, q.kind, q.account, 0))
		t.want(keyOf(stepEstate, q.ref, q.kind, 0, 0))
	}
	err := r.rows(ctx, want, false, named, func(row *resourceRow) {
		t.count(keyOf(stepAccount, row.id, row.kind, row.account, 0), &row.uuid, row.kind)
		t.count(keyOf(stepEstate, row.id, row.kind, 0, 0), &row.uuid, row.kind)
		if named && row.hasName {
			t.count(keyOf(stepName, row.name, row.kind, row.account, row.region), &row.uuid, row.kind)
		}
	})
	if err != nil {
		return err
	}
	for _, q := range refs {
		if q.byName && q.takeName(t, r.global) {
			continue
		}
		if q.take(t, stepAccount, byID, q.account, 0) {
			continue
		}
		q.take(t, stepEstate, byID, 0, 0)
	}
	return nil
}

// takeName counts the names of the region and of global rows together.
func (q *reference) takeName(t *matches, global uint32) bool {
	here := t.slot(keyOf(stepName, q.ref, q.kind, q.account, q.region))
	n, found := here.n, here
	if q.region != global {
		everywhere := t.slot(keyOf(stepName, q.ref, q.kind, q.account, global))
		n += everywhere.n
		if here.n == 0 {
			found = everywhere
		}
	}
	switch {
	case n == 0:
		return false
	case n > 1:
		q.resolution = ambiguous
	default:
		q.resolution, q.to, q.found = byName, found.id, found.kind
	}
	return true
}

// wanted are the kinds that references name; a urn without a kind names all.
func (r *resolver) wanted(refs []reference) map[uint32]bool {
	want := map[uint32]bool{}
	for i := range refs {
		if refs[i].kind == none && refs[i].mayURN {
			return nil
		}
		want[refs[i].kind] = true
	}
	return want
}

// resourceRow is what of a row references can name.
type resourceRow struct {
	uuid            [16]byte
	kind            uint32
	account, region uint32
	id, name, urn   xxh3.Uint128
	hasName, hasURN bool
}

// rows reads the rows of the wanted kinds, or of all where want is nil.
func (r *resolver) rows(ctx context.Context, want map[uint32]bool, urns, nameds bool, f func(*resourceRow)) error {
	columns := []string{"_id", "id", "account", "region", "", ""}
	if urns {
		columns[4] = "urn"
	}
	if nameds {
		columns[5] = "name"
	}
	for _, file := range r.m.next.Files["resources"] {
		kind := r.kinds.number(file.Kind)
		if want != nil && !want[kind] {
			continue
		}
		row := resourceRow{kind: kind}
		var account, region string
		begun := false
		err := readTable(ctx, r.m.t.sink.store, []fileEntry{file}, columns, func(cols []arrow.Array, _ int64, n int) error {
			ids, vendor, accounts, regions := cols[0].(*array.String), cols[1].(*array.String), cols[2].(*array.String), cols[3].(*array.String)
			begun = false // the texts lie in the batch
			for i := range n {
				var ok bool
				if row.uuid, ok = parseUUID(ids.Value(i)); !ok {
					return fmt.Errorf("%q is no _id", ids.Value(i))
				}
				if a := accounts.Value(i); !begun || a != account {
					account = a
					row.account = r.accounts.number(a)
				}
				if a := regions.Value(i); !begun || a != region {
					region = a
					row.region = r.regions.number(a)
				}
				begun = true
				row.id = xxh3.HashString128(vendor.Value(i))
				row.hasURN = urns && cols[4] != nil && !cols[4].IsNull(i)
				if row.hasURN {
					row.urn = xxh3.HashString128(cols[4].(*array.String).Value(i))
				}
				row.hasName = nameds && cols[5] != nil && !cols[5].IsNull(i)
				if row.hasName {
					row.name = xxh3.HashString128(cols[5].(*array.String).Value(i))
				}
				f(&row)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
