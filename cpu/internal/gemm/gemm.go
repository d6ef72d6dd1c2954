package gemm

import (
	"fmt"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/vec"
)

// Source is a matrix that is computed when it is needed instead of lying in
// memory, such as the patches of an image in a convolution. Calls come from
// several workers at once, for blocks in any order and more than once.
type Source[T vec.Float] interface {
	// Block writes rows [r0, r0+nr) × columns [c0, c0+nc) of the matrix as it is
	// stored (before any transposition): element (r, c) to dst[(r-r0)*ld + c-c0].
	// The nc elements of a row are contiguous, so an NHWC convolution copies runs
	// of channels. dst beyond those elements must not be written.
	Block(dst []T, ld, r0, nr, c0, nc int)
}

// PairSource is a Source that can hand over its blocks rounded, which saves a product of bfloat16 the copy in between.
type PairSource[T vec.Float] interface {
	Source[T]
	// InPairs says whether the matrix can be handed over in pairs; PairBlock is not called otherwise.
	InPairs() bool
	// PairBlock is Block of pairs of elements along a row, made by round. c0 and nc are even.
	PairBlock(round RoundFunc[T], dst []T, ld, r0, nr, c0, nc int)
}

// RoundFunc is [Gemm.Round].
type RoundFunc[T vec.Float] = func(dst []T, ldd int, src []T, lds, rows, cols int)

// Operand is one factor of a product: a matrix in memory or a Source.
type Operand[T vec.Float] struct {
	// Data is the matrix, row-major with LD elements from row to row. LD 0 means
	// dense rows. Both are unused when Source is set.
	Data []T
	LD   int
	// Trans says that the stored matrix is the transpose of the factor.
	Trans bool
	// Source, when not nil, provides the stored matrix.
	Source Source[T]
	// Packed says that Data is what [Gemm.Pack] made of the factor. It is for B alone; LD, Trans and Source are unused.
	Packed bool
}

// Args describes C = epilogue(Alpha·op(A)·op(B) + Beta·D), where D is C itself unless it is given.
//
// Every element of C is summed over K in one order that depends on M, N, K and
// the operands' form only: neither the number of workers nor their timing shows
// in the result. NaN and Inf propagate as in IEEE products; nothing is skipped.
type Args[T vec.Float] struct {
	M, N, K int        // op(A) is M×K, op(B) is K×N, C is M×N; each may be 0
	A, B    Operand[T] // with Trans, A is stored K×M and B is stored N×K
	C       []T
	LDC     int // elements from row to row of C; 0 means N
	Alpha   T   // 0 means 1
	Beta    T   // 0 overwrites C without reading it, 1 accumulates
	D       []T // M×N, what Beta multiplies, such as a residual; nil means C, which it must not overlap otherwise
	LDD     int // elements from row to row of D; 0 means N

	// Sink, when not nil, takes the result. C, D and Beta are then unused.
	Sink Sink[T]

	// Watch, when not nil, sees the result on its way. It is for a B that is not transposed, and not together with a Sink.
	Watch Watcher[T]

	// After, when not nil, does the rest of the epilogue to C itself, behind Bias, ReLU and Act. Not together with a Sink or a watcher.
	After After[T]

	// The epilogue, applied once to the finished sum.
	Bias []T  // length N, added to every row; nil for none
	ReLU bool // then max(·, 0); NaN stays NaN
	// Act is another activation in place of ReLU.
	Act Activation[T]
}

// Gemm is a choice of micro-kernels for one element type. It has no state and may
// be shared.
type Gemm[T vec.Float] struct {
	level cpuid.Level
	k     *kernels[T]
	ops   *vec.Ops[T]
	plain *Gemm[T] // see Plain; nil where that is this one
}

// New returns the product for an instruction-set level. A level above what the
// machine has is lowered to cpuid.Best.
func New[T vec.Float](level cpuid.Level) *Gemm[T] {
	level = min(level, cpuid.Best())
	return &Gemm[T]{level: level, k: kernelsFor[T](level), ops: vec.For[T](level)}
}

// Level returns the instruction-set level in use.
func (g *Gemm[T]) Level() cpuid.Level { return g.level }

// fillDefaults replaces the zero values that mean something else.
func (a *Args[T]) fillDefaults() {
	if a.LDC == 0 {
		a.LDC = a.N
	}
	if a.LDD == 0 {
		a.LDD = a.N
	}
	if a.Sink != nil {
		a.Beta = 0
	}
	if a.D == nil || a.Beta == 0 {
		a.D, a.LDD = a.C, a.LDC
	}
	if a.Alpha == 0 {
		a.Alpha = 1
	}
	for _, x := range []struct {
		op         *Operand[T]
		rows, cols int
	}{{&a.A, a.M, a.K}, {&a.B, a.K, a.N}} {
		if x.op.LD == 0 {
			x.op.LD = x.cols
			if x.op.Trans {
				x.op.LD = x.rows
			}
		}
	}
}

// check verifies that the matrices lie inside their slices; packed is the size of a packed B. The caller is the
// engine, which has validated its input, so a mismatch is a broken invariant.
func (a *Args[T]) check(packed int) {
	if a.M < 0 || a.N < 0 || a.K < 0 {
		panic(fmt.Sprintf("gemm: negative size M=%d N=%d K=%d", a.M, a.N, a.K))
	}
	if a.Watch != nil && (a.B.Trans || a.Sink != nil) {
		panic("gemm: a product with a transposed B or a sink cannot be watched")
	}
	if a.After != nil && (a.Watch != nil || a.Sink != nil) {
		panic("gemm: a product with a sink or a watcher has nothing behind its epilogue")
	}
	a.A.check("A", a.M, a.K)
	if a.B.Packed {
		inside("the packed B", a.B.Data, 1, packed, packed)
	} else {
		a.B.check("B", a.K, a.N)
	}
	if a.Sink == nil {
		inside("C", a.C, a.M, a.N, a.LDC)
		inside("D", a.D, a.M, a.N, a.LDD)
	}
	if a.Bias != nil {
		inside("the bias", a.Bias, 1, a.N, a.N)
	}
}

// check verifies that op(X) of rows×cols lies inside Data.
func (o *Operand[T]) check(name string, rows, cols int) {
	if o.Source != nil {
		return
	}
	if o.Trans {
		rows, cols = cols, rows
	}
	inside(name, o.Data, rows, cols, o.LD)
}

func inside[T vec.Float](name string, data []T, rows, cols, ld int) {
	if ld < cols || len(data) < span(rows, cols, ld) {
		panic(fmt.Sprintf("gemm: %s is stored %d×%d with row stride %d and wants %d elements, has %d",
			name, rows, cols, ld, span(rows, cols, ld), len(data)))
	}
}

// span is the number of elements from the first to the last of a matrix.
func span(rows, cols, ld int) int {
	if rows == 0 || cols == 0 {
		return 0
	}
	return (rows-1)*ld + cols
}
