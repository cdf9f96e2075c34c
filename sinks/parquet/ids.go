package parquet

import (
	"encoding/binary"
	"math/bits"
)

// idTable finds the number of a 16 byte key among those of a slice.
type idTable struct {
	slots []uint32 // number+1, 0 is free
	keys  *[][16]byte
}

func newIDTable(keys *[][16]byte, n int) *idTable {
	size := 8
	for size < n+n/2 {
		size *= 2
	}
	return &idTable{slots: make([]uint32, size), keys: keys}
}

func mixID(id *[16]byte) uint64 {
	a, b := binary.LittleEndian.Uint64(id[:8]), binary.LittleEndian.Uint64(id[8:])
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xbf58476d1ce4e5b9)
	return hi ^ lo
}

// find returns the number of a key.
func (t *idTable) find(id *[16]byte) (uint32, bool) {
	if t == nil {
		return 0, false
	}
	mask := uint64(len(t.slots) - 1)
	for i := mixID(id) & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			return 0, false
		}
		if (*t.keys)[s-1] == *id {
			return s - 1, true
		}
	}
}

// add enters the key with a number unless it is there, and returns the number
// it has.
func (t *idTable) add(n uint32) (uint32, bool) {
	id := &(*t.keys)[n]
	mask := uint64(len(t.slots) - 1)
	for i := mixID(id) & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s == 0 {
			t.slots[i] = n + 1
			return n, true
		}
		if (*t.keys)[s-1] == *id {
			return s - 1, false
		}
	}
}
