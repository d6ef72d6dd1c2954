package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columnSum is a sum over rows for each channel.
type columnSum struct {
	name, doc string
	rowArrays []string // read row by row
	perC      []string // one value a channel, read once
	sums      []string // added to
	// body adds a row to the sums; x are the row's vectors, c those of perC.
	body func(x, c, sums []reg.VecVirtual)
	// finish changes the sums before they are added to memory.
	finish func(load func(name string) reg.VecVirtual, sums []reg.VecVirtual)
	late   []string // arrays that finish reads
}

func (s *simd) columns() {
	s.column(columnSum{
		name: "colSum", doc: "adds Σ x over the rows to sum",
		rowArrays: []string{"x"}, sums: []string{"sum"},
		body: func(x, _, sums []reg.VecVirtual) { s.VADD(x[0], sums[0], sums[0]) },
	})
	s.column(columnSum{
		name: "colMoments", doc: "adds Σ (x-shift) to sum and Σ (x-shift)² to sq",
		rowArrays: []string{"x"}, perC: []string{"shift"}, sums: []string{"sum", "sq"},
		body: func(x, c, sums []reg.VecVirtual) {
			s.VSUB(c[0], x[0], x[0])
			s.VADD(x[0], sums[0], sums[0])
			s.VFMADD231(x[0], x[0], sums[1])
		},
	})
	s.column(columnSum{
		name: "colNormGrad", doc: "adds Σ dy to sum and Σ dy·(x-mean)·rstd to dot",
		rowArrays: []string{"dy", "x"}, perC: []string{"mean"}, sums: []string{"sum", "dot"}, late: []string{"rstd"},
		body: func(x, c, sums []reg.VecVirtual) {
			s.VADD(x[0], sums[0], sums[0])
			s.VSUB(c[0], x[1], x[1])
			s.VFMADD231(x[0], x[1], sums[1])
		},
		finish: func(load func(string) reg.VecVirtual, sums []reg.VecVirtual) {
			s.VMUL(load("rstd"), sums[1], sums[1])
		},
	})
}

// column emits a column sum: blocks of channels outside, rows inside, the sums in
// registers.
func (s *simd) column(f columnSum) {
	signature := "func("
	for _, group := range [][]string{f.sums, f.rowArrays, f.perC, f.late} {
		for _, name := range group {
			signature += name + ", "
		}
	}
	signature = signature[:len(signature)-2] + " *float32, rows, c uintptr)"
	s.function(f.name, signature, f.doc+", for rows (at least 1) of c channels.")
	base := map[string]reg.GPVirtual{}
	for _, group := range [][]string{f.sums, f.rowArrays, f.perC, f.late} {
		for _, name := range group {
			base[name] = s.gp(name)
		}
	}
	c, stride, i := s.gp("c"), s.GP64(), s.GP64()
	s.MOVQ(c, stride) // in elements, as i
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
		for _, name := range f.perC {
			perC[v] = append(perC[v], s.load(here(v).of(base[name]), masked))
		}
	}
	s.Label(label + "rows")
	for v := range vectors {
		var x []reg.VecVirtual
		for _, name := range f.rowArrays {
			x = append(x, s.load(place{off, s.size * s.lanes * v, masked, s.size}.of(base[name]), masked))
		}
		f.body(x, perC[v], sums[v])
	}
	s.ADDQ(stride, off)
	s.DECQ(rows)
	s.JNZ(operand.LabelRef(label + "rows"))
	for v := range vectors {
		if f.finish != nil {
			f.finish(func(name string) reg.VecVirtual { return s.load(here(v).of(base[name]), masked) }, sums[v])
		}
		for n, name := range f.sums {
			m := here(v).of(base[name])
			s.VADD(s.load(m, masked), sums[v][n], sums[v][n])
			s.store(sums[v][n], m, masked)
		}
	}
}
