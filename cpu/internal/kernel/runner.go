package kernel

import (
	"fmt"
	"unsafe"

	"github.com/stheno-ml/stheno/cpu/internal/pool"
)

// phase is one parallel loop of a kernel. It binds the loop's body once, so that running it does not allocate.
type phase struct {
	pool  *pool.Pool
	parts int
	body  func(worker, part int)

	// backwards hands out the parts from the last one on. A sweep over what the step before has just written, or the step after
	// will read from the beginning, then finds a part of it in the cache, however large it is.
	backwards bool
}

// newPhase prepares a loop over parts on p.
func newPhase(p *pool.Pool, parts int, body func(worker, part int)) phase {
	return phase{pool: p, parts: parts, body: body}
}

// Do implements [pool.Task].
func (f *phase) Do(worker, part int) {
	if f.backwards {
		part = f.parts - 1 - part
	}
	f.body(worker, part)
}

// run executes all parts and returns when they are done.
func (f *phase) run() {
	if f.parts == 1 { // too small to wake anybody up
		f.body(0, 0)
		return
	}
	f.pool.Run(f, f.parts)
}

// grain is the number of elements that make a part of an elementwise loop: 64 KiB a slice, so that a part outweighs
// handing it out and stays in the second-level cache.
const grain = 16 << 10

// split is the partition of n items into parts of equal size; the last one may be smaller. It depends on the numbers
// only, never on the number of workers.
type split struct {
	n, size, parts int
}

// splitBy cuts n items of cost elements each into parts of about grain elements.
func splitBy(n, cost int) split { return splitInto(n, (n*max(cost, 1)+grain-1)/grain) }

// splitInto cuts n items into at most parts parts.
func splitInto(n, parts int) split {
	parts = max(min(parts, n), 1)
	size := (n + parts - 1) / parts
	if size == 0 {
		return split{n: n, size: 1, parts: 1}
	}
	return split{n: n, size: size, parts: (n + size - 1) / size}
}

// bounds returns the items [lo, hi) of a part.
func (s split) bounds(part int) (lo, hi int) {
	return min(part*s.size, s.n), min((part+1)*s.size, s.n)
}

// Scratch is the working memory of a kernel, embedded in those that need one.
type Scratch[T Float] struct {
	need int
	mem  []T
}

// Workspace returns the number of elements that SetScratch wants.
func (s *Scratch[T]) Workspace() int { return s.need }

// SetScratch hands the kernel its working memory: at least Workspace elements, which may hold anything. It is the
// kernel's own only while Run runs, so that kernels of one program share it.
func (s *Scratch[T]) SetScratch(mem []T) {
	if len(mem) < s.need {
		panic(fmt.Sprintf("kernel: scratch of %d elements, want %d: a mistake of the engine's memory plan", len(mem), s.need))
	}
	s.mem = mem[:s.need:s.need]
}

// reserve enlarges the scratch by n elements and returns their range; ranges are rounded up to whole cache lines.
func (s *Scratch[T]) reserve(n int) area[T] {
	const line = 16
	a := area[T]{lo: s.need, n: n}
	s.need += (n + line - 1) / line * line
	return a
}

// lineStep is a distance in bytes at which the lines of an array compete for few places of the first-level cache: a product walks
// up to twelve of them at a time.
const lineStep = 2048

func linesCollide[T Float](n int) bool { return n*int(unsafe.Sizeof(*new(T)))%lineStep == 0 }

// spacedLine is a distance of at least n elements between lines that do not compete: a cache line more where they would.
func spacedLine[T Float](n int) int {
	if linesCollide[T](n) {
		return n + 64/int(unsafe.Sizeof(*new(T)))
	}
	return n
}

// area is a range of a kernel's scratch.
type area[T Float] struct{ lo, n int }

// of returns the range's memory.
func (a area[T]) of(s *Scratch[T]) []T { return s.mem[a.lo : a.lo+a.n : a.lo+a.n] }

// Kept is the memory of a kernel for what it makes of operands that stay the same from run to run, embedded in those that do.
type Kept[T Float] struct {
	size   int
	memory []T
}

// KeptLen returns the number of elements that SetKept wants.
func (k *Kept[T]) KeptLen() int { return k.size }

// SetKept hands the kernel memory of its own: KeptLen elements, aligned to a cache line.
func (k *Kept[T]) SetKept(mem []T) {
	if len(mem) < k.size {
		panic(fmt.Sprintf("kernel: memory of %d elements to keep, want %d: a mistake of the engine's memory plan", len(mem), k.size))
	}
	k.memory = mem[:k.size:k.size]
}

func (k *Kept[T]) keep(n int) { k.size = n }

func (k *Kept[T]) kept() []T { return k.memory }

// count returns the product of the dimensions of a shape.
func count(dims ...int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Channels is the place of a channel axis in a dense array: Outer × C × Inner elements. Inner is 1 when the channels
// are the last axis.
type Channels struct{ Outer, C, Inner int }

// ChannelsOf returns the place of an axis in a shape; negative axes count from the end.
func ChannelsOf(dims []int, axis int) (Channels, error) {
	if axis < 0 {
		axis += len(dims)
	}
	if axis < 0 || axis >= len(dims) {
		return Channels{}, fmt.Errorf("kernel: axis %d of a shape with %d axes; use %d … %d", axis, len(dims), -len(dims), len(dims)-1)
	}
	c := Channels{Outer: count(dims[:axis]...), C: dims[axis], Inner: count(dims[axis+1:]...)}
	return c, c.check()
}

// Len is the number of elements.
func (c Channels) Len() int { return c.Outer * c.C * c.Inner }

// Rows is the number of elements of one channel.
func (c Channels) Rows() int { return c.Outer * c.Inner }

func (c Channels) check() error {
	if c.Outer < 1 || c.C < 1 || c.Inner < 1 {
		return fmt.Errorf("kernel: an array of %d × %d × %d elements; every axis must have at least 1", c.Outer, c.C, c.Inner)
	}
	return nil
}

// checkLen refuses lengths that no array has.
func checkLen(kernel string, n int) error {
	if n < 1 {
		return fmt.Errorf("kernel: %s of %d elements; want at least 1", kernel, n)
	}
	return nil
}
