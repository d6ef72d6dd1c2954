package main

import "github.com/mmcloughlin/avo/reg"

// layerNorm emits what a layer normalization makes of one row, forward and backward.
func (s *simd) layerNorm() {
	s.moments()
	s.normRow()
	s.normRowSums()
	for _, add := range []bool{false, true} {
		s.normRowGrad(add)
	}
}

// twoSums are two sums in two vectors each, which the vectors of a turn of elements take by turns.
type twoSums struct {
	s    *simd
	a, b [2]reg.VecVirtual
}

func (s *simd) twoSums() *twoSums {
	return &twoSums{s, [2]reg.VecVirtual{s.zero(), s.zero()}, [2]reg.VecVirtual{s.zero(), s.zero()}}
}

func (t *twoSums) of(p place) (a, b reg.VecVirtual) {
	i := p.disp / (t.s.size * t.s.lanes) % 2
	return t.a[i], t.b[i]
}

// store stores the vectors of both sums, one behind the other.
func (t *twoSums) store(out reg.GPVirtual) {
	t.s.VADD(t.a[1], t.a[0], t.a[0])
	t.s.VADD(t.b[1], t.b[0], t.b[0])
	t.s.VMOVUPS(t.a[0], at(out, 0))
	t.s.VMOVUPS(t.b[0], at(out, t.s.size*t.s.lanes))
}

// centred loads elements less the mean. What lies beyond the end would count as −mean: a mask takes it out where it is summed.
func (s *simd) centred(x reg.GPVirtual, p place, mean, low reg.VecVirtual) reg.VecVirtual {
	v := s.load(p.of(x), p.masked)
	s.VSUB(mean, v, v)
	s.VSUB(low, v, v)
	return v
}

// keepTail sets the lanes beyond the tail to 0.
func (s *simd) keepTail(v reg.VecVirtual, p place) {
	switch {
	case !p.masked:
	case s.suffix == "AVX512":
		s.VMOVAZ(v, s.mask, v)
	default:
		s.VANDPS(s.mask, v, v)
	}
}

// moments is the second pass over a row.
func (s *simd) moments() {
	s.function("moments", "func(out, x *float32, n uintptr, mean float32)",
		"adds x-mean and their squares over n elements up in two vectors each by turns and stores the sums, two vectors, to out.")
	out, x, n := s.gp("out"), s.gp("x"), s.gp("n")
	mean := s.scalar("mean")
	sums := s.twoSums()
	s.elements(n, func(p place) {
		v := s.load(p.of(x), p.masked)
		s.VSUB(mean, v, v)
		s.keepTail(v, p)
		a, b := sums.of(p)
		s.VADD(v, a, a)
		s.VFMADD231(v, v, b)
	})
	sums.store(out)
	s.done()
}

// normRow is the third.
func (s *simd) normRow() {
	s.function("normRow", "func(dst, x, scale, shift *float32, n uintptr, mean, low, inverse float32)",
		"computes dst = (x-mean-low)·inverse·scale + shift over n elements.")
	dst, x, scale, shift, n := s.gp("dst"), s.gp("x"), s.gp("scale"), s.gp("shift"), s.gp("n")
	mean, low, inverse := s.scalar("mean"), s.scalar("low"), s.scalar("inverse")
	s.elements(n, func(p place) {
		v := s.centred(x, p, mean, low)
		s.VMUL(inverse, v, v)
		a, b := s.load(p.of(scale), p.masked), s.load(p.of(shift), p.masked)
		s.VFMADD213(b, a, v)
		s.store(v, p.of(dst), p.masked)
	})
	s.done()
}

// normRowSums is the backward pass's first sweep of a row, after those for its statistics.
func (s *simd) normRowSums() {
	s.function("normRowSums", "func(out, dscale, dshift, dy, x, scale *float32, n uintptr, mean, low, inverse float32)",
		"adds dy·scale and dy·scale·u with u = (x-mean-low)·inverse over n elements up as moments does, and adds dy·u to dscale and dy to dshift.")
	out, dscale, dshift, dy, x, scale, n := s.gp("out"), s.gp("dscale"), s.gp("dshift"), s.gp("dy"), s.gp("x"), s.gp("scale"), s.gp("n")
	mean, low, inverse := s.scalar("mean"), s.scalar("low"), s.scalar("inverse")
	sums := s.twoSums()
	s.elements(n, func(p place) {
		u := s.centred(x, p, mean, low)
		s.VMUL(inverse, u, u)
		d := s.load(p.of(dy), p.masked)
		ds := s.load(p.of(dscale), p.masked)
		s.VFMADD231(u, d, ds)
		s.store(ds, p.of(dscale), p.masked)
		db := s.load(p.of(dshift), p.masked)
		s.VADD(d, db, db)
		s.store(db, p.of(dshift), p.masked)
		s.VMUL(s.load(p.of(scale), p.masked), d, d)
		s.keepTail(u, p)
		a, b := sums.of(p)
		s.VADD(d, a, a)
		s.VFMADD231(u, d, b)
	})
	sums.store(out)
	s.done()
}

// normRowGrad is its last.
func (s *simd) normRowGrad(add bool) {
	name, more, doc := "normRowGrad", "", ""
	if add {
		name, more, doc = "normRowGradAdd", ", z", " + z"
	}
	s.function(name, "func(dx, dy, x, scale"+more+" *float32, n uintptr, mean, low, inverse, a, b float32)",
		"computes dx = (dy·scale - a)·inverse - (x-mean-low)·b"+doc+" over n elements.")
	dx, dy, x, scale := s.gp("dx"), s.gp("dy"), s.gp("x"), s.gp("scale")
	var z reg.GPVirtual
	if add {
		z = s.gp("z")
	}
	n := s.gp("n")
	mean, low, inverse, a, b := s.scalar("mean"), s.scalar("low"), s.scalar("inverse"), s.scalar("a"), s.scalar("b")
	s.elements(n, func(p place) {
		u := s.centred(x, p, mean, low)
		s.VMUL(b, u, u)
		d := s.load(p.of(dy), p.masked)
		s.VMUL(s.load(p.of(scale), p.masked), d, d)
		s.VSUB(a, d, d) // of a row of one element exactly 0
		s.VFMSUB213(u, inverse, d)
		if add {
			s.VADD(s.load(p.of(z), p.masked), d, d)
		}
		s.store(d, p.of(dx), p.masked)
	})
	s.done()
}
