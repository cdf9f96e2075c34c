package stage

import (
	"encoding/binary"
	"math/bits"
)

// Known holds what a kind's table held before the sync: for each row 64 bits
// of its _id, 64 bits over its _hash and volatile values, and its scope. By it
// unchanged rows are told before they are staged. 64 bits are enough: an
// unchanged row is one where both agree.
type Known struct {
	ids    []uint64
	sums   []uint64
	scopes []uint32
	flags  []uint8
	rows   int
	seen   int
}

// knownRowBytes is the memory of one row at the table's load factor.
const knownRowBytes = (8 + 8 + 4 + 1) * 4 / 3

const (
	flagUsed   = 1 << iota
	flagSeen   // the row's own scope reported it unchanged
	flagStaged // a reading of it is staged: the ones that follow are, too
	flagPoison // never unchanged: a column of it was unread
)

// KnownBytes is the memory that the Known of a table of so many rows takes.
func KnownBytes(rows int64) int64 { return rows * knownRowBytes }

// NewKnown returns room for a table's rows.
func NewKnown(rows int64) *Known {
	n := int(rows)*4/3 + 1
	return &Known{ids: make([]uint64, n), sums: make([]uint64, n), scopes: make([]uint32, n), flags: make([]uint8, n)}
}

// find returns the slot of an id, or the free slot where it belongs.
func (k *Known) find(id uint64) (slot int, ok bool) {
	hi, _ := bits.Mul64(id*0x9e3779b97f4a7c15, uint64(len(k.ids)))
	i := int(hi)
	for k.flags[i] != 0 {
		if k.ids[i] == id {
			return i, true
		}
		if i++; i == len(k.ids) {
			i = 0
		}
	}
	return i, false
}

// Add enters a row of the table: its _id and _hash of 16 bytes each, the sum of
// its volatile values, the Ordinal of its scope, and whether a column of it was
// unread, so that it is staged whatever its hash. It returns false where 64 bits
// do not tell two ids apart or there is no more room: then the Known is of no
// use and the table's rows are staged in full.
func (k *Known) Add(id, hash []byte, volatile uint64, ordinal uint32, unread bool) bool {
	slot, ok := k.find(idKey(id))
	if ok || k.rows+1 >= len(k.ids) {
		return false
	}
	flags, sum := uint8(flagUsed), uint64(0)
	if unread {
		flags |= flagPoison
	} else {
		sum = hashKey(hash) ^ volatile
	}
	k.ids[slot], k.sums[slot], k.scopes[slot], k.flags[slot] = idKey(id), sum, ordinal, flags
	k.rows++
	return true
}

// Rows is the number of rows entered.
func (k *Known) Rows() int { return k.rows }

// Seen is the number of rows that their own scope reported unchanged.
func (k *Known) Seen() int { return k.seen }

// Reported says whether a row's own scope reported it unchanged and never
// otherwise.
func (k *Known) Reported(id []byte) bool {
	slot, ok := k.find(idKey(id))
	return ok && k.flags[slot]&flagSeen != 0
}

// Unchanged is Reported.
func (k *Known) Unchanged(id []byte) bool { return k.Reported(id) }

// compare says whether a row that the table has must be staged whole, and
// whether another scope than the row's own reports it. again says that its own
// scope reported it unchanged before: that counts no more, but as a reading.
func (k *Known) compare(slot int, sum uint64, ordinal uint32, unread bool) (whole, foreign, again bool) {
	flags := k.flags[slot]
	same := k.sums[slot] == sum && flags&flagPoison == 0 && !unread
	if k.scopes[slot] != ordinal {
		return !same, true, false
	}
	if same && flags&flagStaged == 0 {
		if flags&flagSeen == 0 {
			k.flags[slot] |= flagSeen
			k.seen++
		}
		return false, false, false
	}
	if again = flags&flagSeen != 0; again {
		k.seen--
	}
	k.flags[slot] = flags&^flagSeen | flagStaged
	return true, false, again
}

func idKey(id []byte) uint64 {
	// The version and variant bits of a UUID carry nothing.
	return binary.LittleEndian.Uint64(id) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(id[8:]), 29)
}

func hashKey(hash []byte) uint64 {
	return binary.LittleEndian.Uint64(hash) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(hash[8:]), 31)
}
