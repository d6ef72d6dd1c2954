package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Byte offsets in gemm's tile struct; a test there compares them. Behind alpha follow beta, most, shift
// and factor, an element each.
const (
	tileA     = 0
	tileRS    = 8
	tileKS    = 16
	tileB     = 24
	tileLDB   = 32
	tileKC    = 40
	tileC     = 48
	tileLDC   = 56
	tileBias  = 64
	tileMask  = 72
	tileLanes = 80
	tilePF    = 88
	tilePFRun = 96
	tileD     = 104
	tileLDD   = 112
	tilePFLD  = 120
	tileParts = 128
	tileJump  = 136
	tileReLU  = 144
	tileNear  = 156
	tileFetch = 160
	tileNT    = 164
	tileAlpha = 168
)

// Activations, as gemm's tiles name them.
const (
	bendReLU = 1
	bendGate = 3
)

// layout is the order of A's elements in memory.
type layout int

const (
	byRows  layout = iota // the elements of a row of A are contiguous
	byDepth               // the elements of one k are contiguous
)

var layoutNames = [...]string{byRows: "r", byDepth: "d"}

// unroll is how many k a turn of the main loop takes.
const unroll = 2

// tileRegs are the general registers of a micro-kernel.
type tileRegs struct {
	layout
	size                  int           // bytes of an element
	t, stride, b, ldb, kc reg.GPVirtual // stride: of A, in the direction that is not contiguous
	a                     []reg.GPVirtual
	pf, pfRow, n          reg.GPVirtual // prefetch address, start of its row, turns left on this row
	parts                 reg.GPVirtual // pieces of the rows of A that are left
}

func at(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// loadTile emits the prologue: pointers and strides. By rows, one base in three
// rows of A and an index register give every row an address.
func loadTile(ctx float, l layout, height int) *tileRegs {
	gp := func(disp int, t reg.Register) reg.GPVirtual {
		r := ctx.GP64()
		ctx.MOVQ(at(t, disp), r)
		return r
	}
	t := ctx.GP64()
	ctx.Load(ctx.Param("t"), t)
	r := &tileRegs{layout: l, size: ctx.size, t: t, b: gp(tileB, t), ldb: gp(tileLDB, t), kc: gp(tileKC, t)}
	r.a = append(r.a, gp(tileA, t))
	r.pfRow, r.pf, r.n = gp(tilePF, t), ctx.GP64(), ctx.GP64()
	if l == byDepth {
		r.stride = gp(tileKS, t)
		return r
	}
	r.stride, r.parts = gp(tileRS, t), gp(tileParts, t)
	for len(r.a)*3 < height {
		next, prev := ctx.GP64(), r.a[len(r.a)-1]
		ctx.LEAQ(operand.Mem{Base: prev, Index: r.stride, Scale: 2}, next)
		ctx.ADDQ(r.stride, next)
		r.a = append(r.a, next)
	}
	return r
}

// rowA is the address of A's element in a row, u after the current k.
func (r *tileRegs) rowA(row, u int) operand.Mem {
	if r.layout == byDepth {
		m := at(r.a[0], r.size*row)
		if u > 0 {
			m.Index, m.Scale = r.stride, uint8(u)
		}
		return m
	}
	m := at(r.a[row/3], r.size*u)
	if row%3 > 0 {
		m.Index, m.Scale = r.stride, uint8(row%3)
	}
	return m
}

// rowB is the address of B's row u after the current k.
func (r *tileRegs) rowB(u, disp int) operand.Mem {
	m := at(r.b, disp)
	if u > 0 {
		m.Index, m.Scale = r.ldb, uint8(u)
	}
	return m
}

// step moves on by 1 or 2 k.
func (r *tileRegs) step(ctx float, k int) {
	if r.layout == byRows {
		for _, p := range r.a {
			ctx.ADDQ(operand.U8(r.size*k), p)
		}
	} else if k == 2 {
		ctx.LEAQ(operand.Mem{Base: r.a[0], Index: r.stride, Scale: 2}, r.a[0])
	} else {
		ctx.ADDQ(r.stride, r.a[0])
	}
	if k == 2 {
		ctx.LEAQ(operand.Mem{Base: r.b, Index: r.ldb, Scale: 2}, r.b)
	} else {
		ctx.ADDQ(r.ldb, r.b)
	}
}

// kernel is what differs between the instruction sets.
type kernel struct {
	ctx    float
	height int
	most   int                // largest height
	acc    [][]reg.VecVirtual // [row][vector]
	vec    func() reg.VecVirtual
	lane   int // bytes in a vector

	masks func() // emits the loading of the masks of load and store, after the loop
	load  func(m operand.Mem, v int, dst reg.Register)
	store func(src reg.Register, v int, m operand.Mem)
}

// emit writes one micro-kernel:
//
//	C = bent(alpha·Σ_k A[r,k]·B[k,:] + beta·D + bias)
//
// for exactly height rows and up to len(acc[0]) vectors of columns.
func (k *kernel) emit(r *tileRegs, body func(u int)) {
	ctx := k.ctx
	for _, row := range k.acc {
		for _, acc := range row {
			ctx.VXORPS(acc, acc, acc)
		}
	}
	// A line of C that is not in the caches takes about as long to come as the sums of a K of 16. Stores alone would wait for it.
	ctx.CMPL(at(r.t, tileFetch), operand.U8(0))
	ctx.JE(operand.LabelRef("fetched"))
	own := k.walk(r, tileC, tileLDC)
	k.each(func(row, v int, _ reg.Register) {
		if v*k.lane%64 == 0 {
			ctx.PREFETCHT0(own(row, v))
		}
	})
	ctx.Label("fetched")
	turns := ctx.GP64()
	if r.layout == byRows {
		ctx.Label("part")
	}
	ctx.MOVQ(r.kc, turns)
	ctx.SHRQ(operand.U8(1), turns) // unroll is 2
	ctx.JZ(operand.LabelRef("odd"))
	// A tile of few rows takes B as fast as memory gives it, faster than the hardware looks ahead.
	var near reg.Register
	if r.layout == byRows && 3*k.height <= 2*k.most {
		n := ctx.GP64()
		ctx.MOVLQZX(at(r.t, tileNear), n)
		near = n
	}
	// The turns are walked in runs; each run fetches ahead one row of what comes
	// next. Rows are too short and too many for the hardware to guess.
	ctx.Label("run")
	ctx.MOVQ(at(r.t, tilePFRun), r.n)
	ctx.CMPQ(r.n, turns)
	ctx.CMOVQGT(turns, r.n)
	ctx.SUBQ(r.n, turns)
	ctx.MOVQ(r.pfRow, r.pf)
	ctx.ADDQ(at(r.t, tilePFLD), r.pfRow)
	ctx.Label("loop")
	for u := range unroll {
		body(u)
	}
	// Two lines of float32, three of float64: 12 rows of A in the turns of one.
	ahead := 64 * (1 + r.size/4)
	for line := 0; line < ahead; line += 64 {
		ctx.PREFETCHT1(at(r.pf, line))
	}
	ctx.ADDQ(operand.U32(ahead), r.pf)
	if near != nil { // the same lines of B of some turns later
		for line := 0; line < unroll*len(k.acc[0])*k.lane; line += 64 {
			ctx.PREFETCHT0(operand.Mem{Base: r.b, Index: near, Scale: 1, Disp: line})
		}
	}
	r.step(ctx, unroll)
	ctx.DECQ(r.n)
	ctx.JNZ(operand.LabelRef("loop"))
	ctx.TESTQ(turns, turns)
	ctx.JNZ(operand.LabelRef("run"))
	ctx.Label("odd")
	ctx.TESTQ(operand.U32(1), r.kc)
	if r.layout == byRows {
		ctx.JZ(operand.LabelRef("even"))
		body(0)
		r.step(ctx, 1)
		ctx.Label("even")
		ctx.DECQ(r.parts)
		ctx.JZ(operand.LabelRef("done"))
		for _, p := range r.a {
			ctx.ADDQ(at(r.t, tileJump), p)
		}
		ctx.JMP(operand.LabelRef("part"))
	} else {
		ctx.JZ(operand.LabelRef("done"))
		body(0)
	}
	ctx.Label("done")

	k.masks()
	ctx.compareWithOne(at(r.t, tileAlpha))
	ctx.JE(operand.LabelRef("scaled"))
	f := k.vec()
	ctx.VBROADCAST(at(r.t, tileAlpha), f)
	k.each(func(_, _ int, acc reg.Register) { ctx.VMUL(acc, f, acc) })
	ctx.Label("scaled")

	beta := at(r.t, tileAlpha+r.size)
	ctx.compareWithZero(beta)
	ctx.JE(operand.LabelRef("added"))
	ctx.VBROADCAST(beta, f)
	d := k.walk(r, tileD, tileLDD)
	old := k.vec()
	k.each(func(row, v int, acc reg.Register) {
		k.load(d(row, v), v, old)
		ctx.VFMADD231(old, f, acc)
	})
	ctx.Label("added")

	bias := ctx.GP64()
	ctx.MOVQ(at(r.t, tileBias), bias)
	ctx.TESTQ(bias, bias)
	ctx.JZ(operand.LabelRef("biased"))
	for v := range k.acc[0] {
		k.load(at(bias, v*k.lane), v, old)
		for _, row := range k.acc {
			ctx.VADD(old, row[v], row[v])
		}
	}
	ctx.Label("biased")

	k.bend(r, f, old)
	ctx.Label("store")
	ctx.CMPL(at(r.t, tileNT), operand.U8(0))
	ctx.JNE(operand.LabelRef("stream"))
	c := k.walk(r, tileC, tileLDC)
	k.each(func(row, v int, acc reg.Register) { k.store(acc, v, c(row, v)) })
	ctx.VZEROUPPER()
	ctx.RET()
	ctx.Label("stream")
	c = k.walk(r, tileC, tileLDC)
	k.each(func(row, v int, acc reg.Register) { ctx.VMOVNTPS(acc, c(row, v)) })
	ctx.VZEROUPPER()
	ctx.RET()
}

// bend emits the activation, whose number the tile has, with two free registers.
func (k *kernel) bend(r *tileRegs, f, x reg.Register) {
	ctx := k.ctx
	param := func(i int) operand.Mem { return at(r.t, tileAlpha+(2+i)*r.size) }
	most, shift, factor := param(0), param(1), param(2)
	ctx.CMPL(at(r.t, tileReLU), operand.U8(bendReLU))
	ctx.JB(operand.LabelRef("store"))
	ctx.JA(operand.LabelRef("more"))
	ctx.Label("relu")
	ctx.VXORPS(f, f, f)
	// MAXPS returns its second source when either is NaN: that one is the sum.
	k.each(func(_, _ int, acc reg.Register) { ctx.VMAX(acc, f, acc) })
	ctx.CMPL(at(r.t, tileReLU), operand.U8(bendReLU))
	ctx.JE(operand.LabelRef("store"))
	ctx.VBROADCAST(most, f)
	k.each(func(_, _ int, acc reg.Register) { ctx.VMIN(acc, f, acc) })
	ctx.JMP(operand.LabelRef("store"))
	ctx.Label("more")
	ctx.CMPL(at(r.t, tileReLU), operand.U8(bendGate))
	ctx.JB(operand.LabelRef("relu"))
	// Few registers are left, and the first-level cache has the numbers.
	k.each(func(_, _ int, acc reg.Register) {
		ctx.VBROADCAST(shift, f)
		ctx.VADD(f, acc, x)
		ctx.VXORPS(f, f, f)
		ctx.VMAX(x, f, x)
		ctx.VBROADCAST(most, f)
		ctx.VMIN(x, f, x)
		ctx.VBROADCAST(factor, f)
		ctx.VMUL(x, f, x)
		ctx.VMUL(x, acc, acc)
	})
}

func (k *kernel) each(f func(row, v int, acc reg.Register)) {
	for i, row := range k.acc {
		for v, acc := range row {
			f(i, v, acc)
		}
	}
}

// walk returns addresses in the matrix whose pointer and row stride the tile has there, for rows asked for in order.
func (k *kernel) walk(r *tileRegs, pointer, stride int) func(row, v int) operand.Mem {
	p, ld := k.ctx.GP64(), k.ctx.GP64()
	k.ctx.MOVQ(at(r.t, pointer), p)
	k.ctx.MOVQ(at(r.t, stride), ld)
	last := 0
	return func(row, v int) operand.Mem {
		for ; last < row; last++ {
			k.ctx.ADDQ(ld, p)
		}
		return at(p, v*k.lane)
	}
}

func (k *kernel) accumulators(vectors int) {
	for range k.height {
		var row []reg.VecVirtual
		for range vectors {
			row = append(row, k.vec())
		}
		k.acc = append(k.acc, row)
	}
}
