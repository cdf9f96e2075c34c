package schema

import "testing"

func TestSizeClass(t *testing.T) {
	last, before := -1, 0
	for n := smallest; n < 1<<22; n++ {
		class, size := sizeClass(n)
		if size < n || size > n+n/8 {
			t.Fatalf("%d bytes get %d", n, size)
		}
		if size == before {
			if class != last {
				t.Fatalf("%d bytes: one size of two classes, %d and %d", n, last, class)
			}
			continue
		}
		if class != last+1 && last >= 0 {
			t.Fatalf("%d bytes: class %d after %d", n, class, last)
		}
		if again, whole := sizeClass(size); again != class || whole != size {
			t.Fatalf("the whole of class %d is of class %d", class, again)
		}
		last, before = class, size
	}
}

func TestPool(t *testing.T) {
	var p Pool
	for _, n := range []int{0, 1, smallest - 1, smallest, 5000, 1 << 20} {
		b := p.Allocate(n)
		if len(b) != n {
			t.Fatalf("%d bytes for %d", len(b), n)
		}
		for i := range b {
			b[i] = byte(i)
		}
		b = p.Reallocate(2*n, b)
		if len(b) != 2*n {
			t.Fatalf("%d bytes for %d", len(b), 2*n)
		}
		for i := range n {
			if b[i] != byte(i) {
				t.Fatalf("byte %d of %d was not moved", i, n)
			}
		}
		p.Free(b)
	}
}
