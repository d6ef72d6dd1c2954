package main

import "github.com/mmcloughlin/avo/reg"

// minus emits what a softmax makes of its scores before it takes their exponentials.
func (s *simd) minus() {
	s.function("minus", "func(dst, x *float32, n uintptr, a float32)", "computes dst = x - a over n elements.")
	dst, x, n := s.gp("dst"), s.gp("x"), s.gp("n")
	a := s.scalar("a")
	s.elements(n, func(p place) {
		v := s.load(p.of(x), p.masked)
		s.VSUB(a, v, v)
		s.store(v, p.of(dst), p.masked)
	})
	s.done()
}

// sum is dot without a second factor.
func (s *simd) sum() {
	s.function("sum", "func(out, x *float32, n uintptr)",
		"adds n elements up in four vectors by turns and stores their sum, a vector, to out.")
	out, x, n := s.gp("out"), s.gp("x"), s.gp("n")
	sums := s.fourSums()
	s.elements(n, func(p place) {
		acc := sums.of(p)
		s.VADD(s.load(p.of(x), p.masked), acc, acc)
	})
	sums.store(out)
	s.done()
}

// top passes NaN over: MAXPS returns its second source when either is NaN, here the largest so far.
func (s *simd) top() {
	s.function("top", "func(out, x *float32, n uintptr)",
		"stores the larger of out, a vector, and n elements to out; n is a multiple of its elements, NaN among x are passed over.")
	out, x, n := s.gp("out"), s.gp("x"), s.gp("n")
	var most [4]reg.VecVirtual
	for i := range most {
		most[i] = s.load(at(out, 0), false)
	}
	s.elements(n, func(p place) {
		acc := most[p.disp/(s.size*s.lanes)]
		s.VMAX(acc, s.load(p.of(x), p.masked), acc)
	})
	s.VMAX(most[0], most[1], most[0])
	s.VMAX(most[2], most[3], most[2])
	s.VMAX(most[0], most[2], most[0])
	s.VMOVUPS(most[0], at(out, 0))
	s.done()
}
