package gemm

import (
	"unsafe"
)

// A product with a short K writes C about as fast as it computes it. Where C is not in the caches, each of its lines would be read
// from memory when it is written to, one after the other as the stores leave the processor. So kernels fetch the lines
// of a tile before they compute its sums; and a C that the caches would not hold until it is read again is written past
// them, which saves reading its lines at all.

// What C has at least, in bytes. Tests set them.
var (
	farFrom    = 256 << 10 // to be fetched: less is in the caches, most of the time
	streamFrom = 16 << 20  // to be written past the caches: half of what last caches have
)

const lineBytes = 64

// planWrites decides how C is written. Numbers are the same in either case.
func (j *job[T]) planWrites() {
	a, e := &j.args, int(size[T]())
	bytes := j.m * j.n * e
	inOrder := j.n <= j.g.k.nr // which processors foresee
	j.far = bytes >= farFrom && !inOrder && a.Sink == nil && j.splits == 0
	whole := a.N*e%lineBytes == 0 && a.LDC*e%lineBytes == 0 && uintptr(unsafe.Pointer(unsafe.SliceData(a.C)))%lineBytes == 0
	once := j.k <= j.kc || j.gather
	readAgain := a.Watch != nil || j.swapped || a.Beta != 0 && unsafe.SliceData(a.D) == unsafe.SliceData(a.C)
	j.stream = j.far && bytes >= streamFrom && whole && once && !readAgain && !j.deep && j.g.k.fence != nil
}

// write is how a tile writes C: whether it fetches its lines, and whether it writes past the caches.
func (j *job[T]) write() (fetch, stream uint32) {
	if j.stream {
		return 0, 1
	}
	return 1, 0
}

// fetchRows has a tile fetch the h rows of A that come next: as one run where they lie close together, else row by row.
func (t *tile[T]) fetchRows(next unsafe.Pointer, h, depth int) {
	turns, e := depth/2, int(size[T]())
	t.pf, t.pfRun, t.pfld = next, uint64(max(1, turns)), t.rs
	if each := int(turn[T]()); (h-1)*int(t.rs)+depth*e > turns*each {
		t.pfRun = uint64(max(1, ceil(depth*e, each)))
	}
}
