package gemm

import "unsafe"

// A product of a short K writes C about as fast as it computes it. A store to a line that is not in the caches waits until the line has
// been read, and stores leave the processor in order, so few lines would be on their way at a time. So kernels fetch the lines of a tile
// of C before they compute its sums; and a C that the caches would not hold until it is read again is written past them, which saves
// reading its lines at all. Tiles as wide as C write it from its beginning to its end, which processors foresee; those are left alone.

// Chosen by measurement on a last cache of 32 MiB; variables, so that tests reach both ways with small products.
var (
	farFrom    = 256 << 10 // bytes of a C whose lines are fetched
	streamFrom = 16 << 20  // bytes of a C that is written past the caches
)

const lineBytes = 64

// planWrites decides how C is written, from where it lies too: its bits are the same either way.
func (j *job[T]) planWrites() {
	a, e := &j.args, int(size[T]())
	bytes := j.m * j.n * e
	inOrder := j.n <= j.g.k.nr
	j.far = bytes >= farFrom && !inOrder && a.Sink == nil && j.splits == 0
	whole := a.N*e%lineBytes == 0 && a.LDC*e%lineBytes == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(a.C)))%lineBytes == 0
	once := j.k <= j.kc || j.gather
	readAgain := a.Watch != nil || a.After != nil || j.swapped || a.Beta != 0 && unsafe.SliceData(a.D) == unsafe.SliceData(a.C)
	j.stream = j.far && bytes >= streamFrom && whole && once && !readAgain && !j.deep && j.g.k.fence != nil
}

// fetchRows has a tile fetch the h rows of A that come next: as one run where they lie close together, else row by row.
func (t *tile[T]) fetchRows(next unsafe.Pointer, h, depth int) {
	turns, e := depth/2, int(size[T]())
	t.pf, t.pfRun, t.pfld = next, uint64(max(1, turns)), t.rs
	if each := int(turn[T]()); (h-1)*int(t.rs)+depth*e > turns*each {
		t.pfRun = uint64(max(1, ceil(depth*e, each)))
	}
}
