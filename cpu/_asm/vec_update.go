package main

import "github.com/mmcloughlin/avo/reg"

func (s *simd) optimizers() {
	for _, nesterov := range []bool{false, true} {
		s.momentum(nesterov, false, false)
		s.momentum(nesterov, true, false)
		s.momentum(nesterov, true, true)
	}
	s.function("adam", "func(w, m, v, grad *float32, n uintptr, lr, c1, c2, eps float32)",
		"computes m += c1·(g-m); v += c2·(g²-v); w -= lr·m/(√v+eps) over n elements.")
	w, m, v, g, n := s.gp("w"), s.gp("m"), s.gp("v"), s.gp("grad"), s.gp("n")
	lr, c1, c2, eps := s.scalar("lr"), s.scalar("c1"), s.scalar("c2"), s.scalar("eps")
	s.elements(n, func(p place) {
		grad, first, second := s.load(p.of(g), p.masked), s.load(p.of(m), p.masked), s.load(p.of(v), p.masked)
		diff := s.vec()
		s.VSUB(first, grad, diff)
		s.VFMADD231(diff, c1, first)
		s.VMUL(grad, grad, grad)
		s.VSUB(second, grad, grad)
		s.VFMADD231(grad, c2, second)
		s.store(first, p.of(m), p.masked)
		s.store(second, p.of(v), p.masked)
		s.VSQRT(second, second)
		s.VADD(eps, second, second)
		s.VMUL(lr, first, first)
		s.VDIV(second, first, first)
		x := s.load(p.of(w), p.masked)
		s.VSUB(first, x, x)
		s.store(x, p.of(w), p.masked)
	})
	s.done()
}

// momentum emits a step of gradient descent with momentum. With decay, decay·w joins the gradient; with squares, those of the
// old w are added up as dot does it, to the same bits.
func (s *simd) momentum(nesterov, decay, squares bool) {
	name, args, doc := "momentum", "w, v, grad *float32, n uintptr, lr, mu", "computes v = mu·v - lr·g; w += v"
	if nesterov {
		name, doc = "nesterov", "computes v = mu·v - lr·g; w += mu·v - lr·g"
	}
	if decay {
		name, args, doc = name+"Decay", args+", decay", doc+", where g = grad + decay·w,"
	}
	doc += " over n elements."
	if squares {
		name, args, doc = name+"Squares", "out, "+args, doc+" It stores the sum of the old w², a vector, to out."
	}
	s.function(name, "func("+args+" float32)", doc)
	w, v, g, n := s.gp("w"), s.gp("v"), s.gp("grad"), s.gp("n")
	lr, mu := s.scalar("lr"), s.scalar("mu")
	var rate reg.VecVirtual
	if decay {
		rate = s.scalar("decay")
	}
	var sums *fourSums
	if squares {
		sums = s.fourSums()
	}
	s.elements(n, func(p place) {
		step, vel, x := s.load(p.of(g), p.masked), s.load(p.of(v), p.masked), s.load(p.of(w), p.masked)
		if squares {
			s.VFMADD231(x, x, sums.of(p))
		}
		if decay {
			s.VFMADD231(x, rate, step)
		}
		s.VMUL(lr, step, step)
		s.VFMSUB213(step, mu, vel)
		s.store(vel, p.of(v), p.masked)
		if nesterov {
			s.VFMSUB213(step, mu, vel)
		}
		s.VADD(vel, x, x)
		s.store(x, p.of(w), p.masked)
	})
	if squares {
		sums.store(s.gp("out"))
	}
	s.done()
}
