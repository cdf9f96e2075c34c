package schema

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Pool is a memory.Allocator that gives out again what was freed, so that a
// batch is written to memory that the kernel has mapped and cleared already.
// What nobody frees is left to the garbage collector. Memory is not zeroed.
//
// It is safe for concurrent use; the zero value is ready.
type Pool struct {
	classes [32 * perOctave]sync.Pool // of *chunk
}

// chunk keeps a slice in a sync.Pool without an allocation of its header.
type chunk struct{ b []byte }

var _ memory.Allocator = (*Pool)(nil)

const (
	// perOctave is how many sizes there are from one power of two to the
	// next: at most an eighth of what is asked for is given in vain.
	perOctave = 8
	// smallest is the size, in bytes, from which on memory is kept.
	smallest = 1 << 10
)

// sizeClass returns the class of n bytes, at least smallest, and its size.
func sizeClass(n int) (class, size int) {
	shift := bits.Len(uint(n-1)) - 4
	steps := (n-1)>>shift + 1 // 9 to 16
	return shift*perOctave + steps - perOctave - 1, steps << shift
}

// Allocate implements memory.Allocator.
func (p *Pool) Allocate(n int) []byte {
	if n < smallest {
		return make([]byte, n)
	}
	class, size := sizeClass(n)
	if class >= len(p.classes) {
		return make([]byte, n)
	}
	if c, ok := p.classes[class].Get().(*chunk); ok {
		return c.b[:n]
	}
	return make([]byte, n, size)
}

// Reallocate implements memory.Allocator.
func (p *Pool) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	to := p.Allocate(n)
	copy(to, b)
	p.Free(b)
	return to
}

// Free implements memory.Allocator. Under the race detector what is freed is
// overwritten, so that whoever reads on is found.
func (p *Pool) Free(b []byte) {
	b = b[:cap(b)]
	if poisoned {
		for i := range b {
			b[i] = 0xdb
		}
		return
	}
	if len(b) < smallest {
		return
	}
	class, size := sizeClass(len(b))
	if size == len(b) && class < len(p.classes) {
		p.classes[class].Put(&chunk{b})
	}
}
