package numtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// GradOptions tunes [CheckGrad]. The zero value is right for smooth functions of inputs of size about one.
type GradOptions struct {
	Seed       uint64  // of the upstream gradient, the directions and the sampled coordinates
	Directions int     // random directions through all inputs together, and through each alone; 0 means 3
	Coords     int     // sampled single coordinates of each input; 0 means 12, all when the input has no more
	Step       float64 // of the central difference; 0 means 1e-5
	Rel        float64 // allowed error relative to the usual size of what is compared; 0 means 1e-6
	Fixed      []int   // positions of inputs that get no gradient; tensors that are not float64 never do
}

func (o GradOptions) withDefaults() GradOptions {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.Directions, 3)
	set(&o.Coords, 12)
	if o.Step == 0 {
		o.Step = 1e-5
	}
	if o.Rel == 0 {
		o.Rel = 1e-6
	}
	return o
}

// Builder adds the function under test to g, as a node of any shape computed from ins.
type Builder func(g *gorgonia.ExprGraph, ins []*gorgonia.Node) (*gorgonia.Node, error)

// CheckGrad compares the symbolic derivative of a function with central differences, in float64, on Gorgonia's own
// machine, and fails the test (without ending it) where they differ.
//
// The result y is weighted with a fixed random tensor dy of its shape, f = Σ dy·y: dy enters the graph as the gradient
// of the output (gorgonia.Backpropagate, which is what gorgonia.Grad calls with 1), so no stock operation stands between
// the function and its derivative. The differences of f are taken along random directions, which see every element at
// once as in JAX's check_grads, and along single coordinates, which tell where an error sits.
//
// The caller picks inputs away from kinks and jumps; see [AwayFromZero] and [Distinct].
func CheckGrad(t testing.TB, build Builder, inputs []*tensor.Dense, opts GradOptions) {
	t.Helper()
	if err := checkGrad(build, inputs, opts.withDefaults()); err != nil {
		t.Errorf("gradient check: %v", err)
	}
}

func checkGrad(build Builder, inputs []*tensor.Dense, o GradOptions) error {
	p := &probe{build: build, inputs: inputs, wrt: differentiable(inputs, o.Fixed)}
	if len(p.wrt) == 0 {
		return fmt.Errorf("none of the %d inputs is a float64 tensor that may change", len(inputs))
	}
	y, err := p.forward(inputs)
	if err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	r := rand.New(rand.NewPCG(o.Seed, 0x67726164))
	p.dy = make([]float64, len(y))
	for i := range p.dy {
		p.dy[i] = r.NormFloat64()
		p.scale += math.Abs(p.dy[i] * y[i])
	}
	if math.IsNaN(p.scale) || math.IsInf(p.scale, 0) {
		return fmt.Errorf("the function's value is not finite")
	}
	grads, err := p.backward()
	if err != nil {
		return fmt.Errorf("backward: %w", err)
	}
	return p.compare(grads, r, o)
}

func differentiable(inputs []*tensor.Dense, fixed []int) []int {
	var wrt []int
next:
	for i, in := range inputs {
		if in.Dtype() != tensor.Float64 {
			continue
		}
		for _, f := range fixed {
			if f == i {
				continue next
			}
		}
		wrt = append(wrt, i)
	}
	return wrt
}

// compare differentiates numerically along the directions and coordinates that o asks for.
func (p *probe) compare(grads [][]float64, r *rand.Rand, o GradOptions) error {
	total := 0.0
	for k, g := range grads {
		for _, v := range g {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("input %d: the symbolic gradient holds %v", p.wrt[k], v)
			}
		}
		total += typical(g) * typical(g)
	}
	// What the difference of two nearly equal sums loses to rounding.
	floor := 64 * 0x1p-53 * (p.scale + 1) / o.Step
	check := func(what string, k int, dir map[int][]float64, norm float64) error {
		numeric, err := p.along(dir, o.Step)
		if err != nil {
			return err
		}
		symbolic := 0.0
		for k, d := range dir {
			for i, v := range d {
				symbolic += grads[k][i] * v
			}
		}
		if allowed := o.Rel*norm + floor; !(math.Abs(numeric-symbolic) <= allowed) {
			return fmt.Errorf("%s: symbolic %.9g, central difference %.9g, error %.3g, allowed %.3g",
				what, symbolic, numeric, math.Abs(numeric-symbolic), allowed)
		}
		return nil
	}
	for n := 0; n < o.Directions; n++ {
		all := map[int][]float64{}
		for k, g := range grads {
			all[k] = direction(r, len(g))
			what := fmt.Sprintf("input %d of shape %v, random direction %d", p.wrt[k], p.inputs[p.wrt[k]].Shape(), n)
			if err := check(what, k, map[int][]float64{k: all[k]}, typical(g)); err != nil {
				return p.locate(err, k, grads, check, r, o)
			}
		}
		if err := check(fmt.Sprintf("all inputs, random direction %d", n), 0, all, math.Sqrt(total)); err != nil {
			return err
		}
	}
	for k, g := range grads {
		if err := p.coords(k, g, check, r, o); err != nil {
			return err
		}
	}
	return nil
}

type checker func(what string, k int, dir map[int][]float64, norm float64) error

// coords checks a sample of single coordinates of input k.
func (p *probe) coords(k int, g []float64, check checker, r *rand.Rand, o GradOptions) error {
	sample := r.Perm(len(g))
	if len(sample) > o.Coords {
		sample = sample[:o.Coords]
	}
	shape := p.inputs[p.wrt[k]].Shape()
	for _, i := range sample {
		unit := make([]float64, len(g))
		unit[i] = 1
		what := fmt.Sprintf("input %d, element %v of shape %v", p.wrt[k], coordinates(i, shape), shape)
		if err := check(what, k, map[int][]float64{k: unit}, largest(g)); err != nil {
			return err
		}
	}
	return nil
}

// locate adds the first wrong coordinate found to the report of a wrong direction.
func (p *probe) locate(err error, k int, grads [][]float64, check checker, r *rand.Rand, o GradOptions) error {
	if at := p.coords(k, grads[k], check, r, o); at != nil {
		return fmt.Errorf("%w\n    %w", err, at)
	}
	return err
}

// direction is a random vector of length about one.
func direction(r *rand.Rand, n int) []float64 {
	d := make([]float64, n)
	for i := range d {
		d[i] = r.NormFloat64() / math.Sqrt(float64(n))
	}
	return d
}

// typical is the usual size of g times a [direction]: the root of the mean square of g.
func typical(g []float64) float64 {
	s := 0.0
	for _, v := range g {
		s += v * v
	}
	return math.Sqrt(s / float64(max(1, len(g))))
}

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}
