package stage

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// reuse is a memory.Allocator that gives large pieces out again once they are
// freed: those of a batch that is read are about as large as the one before,
// and a collector that is kept short would run for each of them. Memory is not
// zeroed.
type reuse struct{ free sync.Pool }

var _ memory.Allocator = (*reuse)(nil)

// large is the size, in bytes, from which on a piece is kept.
const large = 64 << 10

// Allocate implements memory.Allocator.
func (r *reuse) Allocate(n int) []byte {
	if n < large {
		return memory.DefaultAllocator.Allocate(n)
	}
	if b, ok := r.free.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n, n+n/4)
}

// Reallocate implements memory.Allocator.
func (r *reuse) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	to := r.Allocate(n)
	copy(to, b)
	r.Free(b)
	return to
}

// Free implements memory.Allocator.
func (r *reuse) Free(b []byte) {
	if cap(b) >= large {
		r.free.Put(&b)
	}
}
