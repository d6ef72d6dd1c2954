package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columnSum is a sum over rows for each channel.
type columnSum struct {
	name, doc string
	sums      []string // added to
	written   string   // written row by row, from the first of the row's vectors; may be empty
	rowArrays []string // read row by row
	perC      []string // one value a channel
	scalar    string   // a number, the last of those of perC for body; may be empty
	// body adds a row to the sums; x are the row's vectors, c those of perC.
	body func(x, c, sums []reg.VecVirtual)
	// apart says that the rows are summed before they are added to the sums in memory, however many channels there are.
	apart bool
	// strided says that ld elements lie between the beginnings of two rows; else rows follow each other.
	strided bool
}

func (s *simd) columns() {
	s.column(columnSum{
		name: "colSum", doc: "adds Σ x over the rows to sum",
		rowArrays: []string{"x"}, sums: []string{"sum"}, apart: true, strided: true,
		body: func(x, _, sums []reg.VecVirtual) { s.VADD(x[0], sums[0], sums[0]) },
	})
	s.column(columnSum{
		name: "colMoments", doc: "adds Σ (x-shift) to sum and Σ (x-shift)² to sq",
		rowArrays: []string{"x"}, perC: []string{"shift"}, sums: []string{"sum", "sq"}, strided: true,
		body: func(x, c, sums []reg.VecVirtual) {
			s.VSUB(c[0], x[0], x[0])
			s.VADD(x[0], sums[0], sums[0])
			s.VFMADD231(x[0], x[0], sums[1])
		},
	})
	s.column(columnSum{
		name: "colNormGrad", doc: "adds Σ dy to sum and Σ dy·(x-mean) to dot",
		rowArrays: []string{"dy", "x"}, perC: []string{"mean"}, sums: []string{"sum", "dot"},
		body: func(x, c, sums []reg.VecVirtual) { s.addNormGrad(x[0], x[1], c[0], sums) },
	})
	s.column(columnSum{
		name: "colNormGradReLU", doc: "is colNormGrad with dy taken as 0 where (x-mean)·scale + shift is not above 0",
		rowArrays: []string{"dy", "x"}, perC: []string{"mean", "scale", "shift"}, sums: []string{"sum", "dot"},
		body: func(x, c, sums []reg.VecVirtual) {
			s.VSUB(c[0], x[1], x[1])
			s.maskNorm(x[0], x[1], c[1], c[2])
			s.VADD(x[0], sums[0], sums[0])
			s.VFMADD231(x[0], x[1], sums[1])
		},
	})
	s.column(columnSum{
		name: "colNormGradBound", doc: "is colNormGradReLU with dy taken as 0 also where that is not below most",
		rowArrays: []string{"dy", "x"}, perC: []string{"mean", "scale", "shift"}, sums: []string{"sum", "dot"}, scalar: "most",
		body: func(x, c, sums []reg.VecVirtual) {
			s.VSUB(c[0], x[1], x[1])
			s.maskBound(x[0], x[1], c[1], c[2], c[3])
			s.VADD(x[0], sums[0], sums[0])
			s.VFMADD231(x[0], x[1], sums[1])
		},
	})
	s.column(columnSum{
		name: "colNormGradJoin", doc: "computes dy = a + b where y > 0, else 0, and is colNormGrad",
		written: "dy", rowArrays: []string{"a", "b", "y", "x"}, perC: []string{"mean"}, sums: []string{"sum", "dot"},
		body: func(x, c, sums []reg.VecVirtual) {
			s.VADD(x[1], x[0], x[0])
			s.keepAbove0(x[0], x[2], s.zero())
			s.addNormGrad(x[0], x[3], c[0], sums)
		},
	})
}

// addNormGrad adds a row to the sums of colNormGrad. It changes x.
func (s *simd) addNormGrad(dy, x, mean reg.VecVirtual, sums []reg.VecVirtual) {
	s.VADD(dy, sums[0], sums[0])
	s.VSUB(mean, x, x)
	s.VFMADD231(dy, x, sums[1])
}

// maskNorm sets dy to 0 where centred·scale + shift, the batch norm in front of a ReLU, is not above 0. It computes what
// scaleShift does.
func (s *simd) maskNorm(dy, centred, scale, shift reg.VecVirtual) {
	y := s.vec()
	s.VMOVAPS(centred, y)
	s.VFMADD213(shift, scale, y)
	s.keepAbove0(dy, y, s.zero())
}

// maskBound is maskNorm for a ReLU with a bound: it sets dy to 0 also where that is not below most.
func (s *simd) maskBound(dy, centred, scale, shift, most reg.VecVirtual) {
	y, below := s.vec(), s.vec()
	s.VMOVAPS(centred, y)
	s.VFMADD213(shift, scale, y)
	s.VSUB(y, most, below)
	zero := s.zero()
	s.keepAbove0(dy, y, zero)
	s.keepAbove0(dy, below, zero)
}

// column emits a column sum. Up to two blocks of channels have their sums in registers, the rows inside: the memory of more
// of them would be read in stretches that the processor's prefetcher takes for nothing in particular. Their sums stay in the
// first-level cache, the rows outside.
func (s *simd) column(f columnSum) {
	names := append([]string(nil), f.sums...)
	if f.written != "" {
		names = append(names, f.written)
	}
	names = append(append(names, f.rowArrays...), f.perC...)
	sizes, doc := "rows, c", f.doc+", for rows (at least 1) of c channels"
	if f.strided {
		sizes, doc = sizes+", ld", doc+", ld elements from row to row"
	}
	more := ""
	if f.scalar != "" {
		more = ", " + f.scalar + " float32"
	}
	s.function(f.name, "func("+strings.Join(names, ", ")+" *float32, "+sizes+" uintptr"+more+")", doc+".")
	base := map[string]reg.GPVirtual{}
	for _, name := range names {
		base[name] = s.gp(name)
	}
	if body := f.body; f.scalar != "" {
		number := s.scalar(f.scalar)
		f.body = func(x, c, sums []reg.VecVirtual) { body(x, append(slices.Clone(c), number), sums) }
	}
	c, i := s.gp("c"), s.GP64()
	if !f.apart {
		s.CMPQ(c, operand.U32(2*s.wide*s.lanes))
		s.JG(operand.LabelRef("wide"))
	}
	stride := s.GP64() // in elements, as i
	if f.strided {
		s.Load(s.Param("ld"), stride)
	} else {
		s.MOVQ(c, stride)
	}
	s.XORQ(i, i)
	for _, vectors := range []int{s.wide, 1} {
		step := vectors * s.lanes
		label := fmt.Sprintf("block%d", vectors)
		s.SUBQ(operand.U8(step), c)
		s.JL(operand.LabelRef("after" + label))
		s.Label(label)
		s.columnBlock(f, base, i, stride, vectors, false, label)
		s.ADDQ(operand.U8(step), i)
		s.SUBQ(operand.U8(step), c)
		s.JGE(operand.LabelRef(label))
		s.Label("after" + label)
		s.ADDQ(operand.U8(step), c)
	}
	s.JZ(operand.LabelRef("end"))
	s.setMask(c)
	s.columnBlock(f, base, i, stride, 1, true, "tail")
	s.Label("end")
	s.done()
	if !f.apart {
		s.Label("wide")
		s.columnRows(f, base)
	}
}

func (s *simd) columnBlock(f columnSum, base map[string]reg.GPVirtual, i, stride reg.GPVirtual, vectors int, masked bool, label string) {
	rows, off := s.GP64(), s.GP64()
	s.Load(s.Param("rows"), rows)
	s.MOVQ(i, off)
	sums := make([][]reg.VecVirtual, vectors)
	perC := make([][]reg.VecVirtual, vectors)
	here := func(v int) place { return place{i, s.size * s.lanes * v, masked, s.size} }
	for v := range vectors {
		for range f.sums {
			sums[v] = append(sums[v], s.zero())
		}
		perC[v] = s.loadAll(f.perC, base, here(v))
	}
	s.Label(label + "rows")
	for v := range vectors {
		s.columnRow(f, base, place{off, s.size * s.lanes * v, masked, s.size}, perC[v], sums[v])
	}
	s.ADDQ(stride, off)
	s.DECQ(rows)
	s.JNZ(operand.LabelRef(label + "rows"))
	for v := range vectors {
		for n, name := range f.sums {
			m := here(v).of(base[name])
			s.VADD(s.load(m, masked), sums[v][n], sums[v][n])
			s.store(sums[v][n], m, masked)
		}
	}
}

// columnRow adds one row's vector to the sums.
func (s *simd) columnRow(f columnSum, base map[string]reg.GPVirtual, at place, perC, sums []reg.VecVirtual) {
	x := s.loadAll(f.rowArrays, base, at)
	f.body(x, perC, sums)
	if f.written != "" {
		s.store(x[0], at.of(base[f.written]), at.masked)
	}
}

// columnRows emits the loop over rows of many channels.
func (s *simd) columnRows(f columnSum, base map[string]reg.GPVirtual) {
	rows, full, rest := s.gp("rows"), s.gp("c"), s.GP64()
	s.MOVQ(full, rest)
	var skip reg.GPVirtual
	if f.strided {
		skip = s.gp("ld")
		s.SUBQ(full, skip)
	}
	s.ANDQ(operand.U8(s.lanes-1), rest)
	s.SUBQ(rest, full)
	s.setMask(rest)
	i, off := s.GP64(), s.GP64()
	s.XORQ(off, off)
	turn := func(masked bool) {
		here := place{i, 0, masked, s.size}
		sums := s.loadAll(f.sums, base, here)
		s.columnRow(f, base, place{off, 0, masked, s.size}, s.loadAll(f.perC, base, here), sums)
		for n, name := range f.sums {
			s.store(sums[n], here.of(base[name]), masked)
		}
	}
	s.Label("widerow")
	s.XORQ(i, i)
	s.Label("wideloop")
	turn(false)
	s.ADDQ(operand.U8(s.lanes), off)
	s.ADDQ(operand.U8(s.lanes), i)
	s.CMPQ(i, full)
	s.JL(operand.LabelRef("wideloop"))
	s.TESTQ(rest, rest)
	s.JZ(operand.LabelRef("widenext"))
	turn(true)
	s.ADDQ(rest, off)
	s.Label("widenext")
	if f.strided {
		s.ADDQ(skip, off)
	}
	s.DECQ(rows)
	s.JNZ(operand.LabelRef("widerow"))
	s.done()
}

func (s *simd) loadAll(names []string, base map[string]reg.GPVirtual, at place) []reg.VecVirtual {
	var x []reg.VecVirtual
	for _, name := range names {
		x = append(x, s.load(at.of(base[name]), at.masked))
	}
	return x
}
