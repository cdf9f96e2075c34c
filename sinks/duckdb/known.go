package duckdb

import (
	"encoding/binary"
	"math/bits"
)

// known holds what a kind's table held before the sync: for each row 64 bits
// of its _id, 64 bits over its _hash and volatile values, and its scope. By it
// unchanged rows are told before they are staged. 64 bits are enough: an
// unchanged row is one where both agree.
type known struct {
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

func newKnown(rows int64) *known {
	n := int(rows)*4/3 + 1
	return &known{ids: make([]uint64, n), sums: make([]uint64, n), scopes: make([]uint32, n), flags: make([]uint8, n)}
}

// find returns the slot of an id, or the free slot where it belongs.
func (k *known) find(id uint64) (slot int, ok bool) {
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

// add enters a row. It returns false where 64 bits do not tell two ids apart
// or the table is full.
func (k *known) add(id, sum uint64, scope uint32, flags uint8) bool {
	slot, ok := k.find(id)
	if ok || k.rows+1 >= len(k.ids) {
		return false
	}
	k.ids[slot], k.sums[slot], k.scopes[slot], k.flags[slot] = id, sum, scope, flagUsed|flags
	k.rows++
	return true
}

// mark notes that a row's own scope reported it unchanged.
func (k *known) mark(slot int) {
	if k.flags[slot]&flagSeen == 0 {
		k.flags[slot] |= flagSeen
		k.seen++
	}
}

func idKey(id []byte) uint64 {
	// The version and variant bits of a UUID carry nothing.
	return binary.LittleEndian.Uint64(id) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(id[8:]), 29)
}

func hashKey(hash []byte) uint64 {
	return binary.LittleEndian.Uint64(hash) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(hash[8:]), 31)
}
