package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// plant is a graph that grows from bytes.
type plant struct {
	*enginetest.B
	data       []byte
	evaluating bool
	pool       []*gorgonia.Node // values to grow on
	inputs     []*gorgonia.Node // floats
	count      int
	succeeded  map[string]int // growths, by name
	broken     []string       // those that Gorgonia refused
	rigid      bool           // the graph must not be differentiated
}

// header decides about the graph as a whole. One in four is in float32, whose errors hide more.
func (p *plant) header() {
	h := p.next(32)
	if h&3 == 3 {
		p.Dt = tensor.Float32
	}
	p.evaluating = h>>2&3 == 3
}

// next is a number below n, 0 when the bytes are used up.
func (p *plant) next(n int) int {
	if len(p.data) == 0 || n < 2 {
		return 0
	}
	k := int(p.data[0]) % n
	p.data = p.data[1:]
	return k
}

// sprout builds the graph; nil if Gorgonia cannot differentiate it.
func sprout(t *testing.T, data []byte, differentiate bool) *plant {
	p := &plant{B: enginetest.NewB(t, tensor.Float64), data: data, succeeded: map[string]int{}}
	p.header()
	gradient := p.next(4) > 0
	p.pool = append(p.pool, p.input(p.shapeOf(2)...))
	for steps := 0; len(p.data) > 0 && steps < 24; steps++ {
		p.grow(grown[p.next(len(grown))])
	}
	if gradient && differentiate && !p.rigid && !p.differentiate() {
		return nil
	}
	return p
}

func (p *plant) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v, evaluating %v, refused %v\n", p.Dt, p.evaluating, p.broken)
	for _, n := range p.G.AllNodes() {
		if n.Op() == nil {
			fmt.Fprintf(&s, "\tnode %x, input %q %v\n", n.ID(), n.Name(), n.Shape())
		} else {
			fmt.Fprintf(&s, "\t%s\n", describe(n))
		}
	}
	return s.String()
}

// grow adds what one growth makes to the pool. Gorgonia refuses some shapes, by errors and by panics; what is not made is not tested.
func (p *plant) grow(g named[func(p *plant) *node]) {
	defer func() {
		if r := recover(); r != nil {
			if s := string(debug.Stack()); !strings.Contains(s, "gorgonia.org/") {
				p.T.Fatalf("growth %s: %v\n%s", g.name, r, s)
			}
			p.broken = append(p.broken, fmt.Sprint(g.name, ": ", r))
		}
	}()
	if y := g.f(p); y != nil {
		p.succeeded[g.name]++
		p.pool = append(p.pool, y)
	}
}

// differentiate asks for the gradient of a value of the pool with respect to inputs.
func (p *plant) differentiate() (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	y := p.pool[len(p.pool)-1-p.next(min(len(p.pool), 3))]
	if y.Op() == nil || y.Dtype() != p.Dt {
		return true
	}
	reached := map[*gorgonia.Node]bool{y: true}
	var wrt nodes
	for _, n := range slices.Backward(p.G.AllNodes()) {
		if reached[n] {
			for _, c := range op.Children(n) {
				reached[c] = true
			}
			if slices.Contains(p.inputs, n) {
				wrt = append(wrt, n)
			}
		}
	}
	cost := y
	if !y.IsScalar() {
		cost = must(gorgonia.Sum(must(gorgonia.HadamardProd(y, p.input(y.Shape()...)))))
	}
	_, err := gorgonia.Grad(cost, wrt...)
	return err == nil
}

// shapeOf draws a shape of some axes. Sizes are odd more often than not, for the tails of kernels.
func (p *plant) shapeOf(dims int) tensor.Shape {
	sizes := []int{3, 2, 5, 1, 7, 4}
	if dims <= 2 {
		sizes = append(sizes, 17, 9)
	}
	s := make(tensor.Shape, dims)
	for i := range s {
		s[i] = sizes[p.next(len(sizes))]
	}
	return s
}

// input is a new input: of normal numbers, of positive ones, or of multiples of 1/2, which are often equal. Some are views.
func (p *plant) input(dims ...int) *node {
	p.count++
	name := fmt.Sprint("in", p.count)
	var n *node
	kind := p.next(8)
	switch {
	case len(dims) == 0:
		n = p.Scalar(name, float32(p.next(16)+1)/8)
	case kind == 0:
		n = p.Positive(name, dims...)
	case kind == 1:
		half := make([]float32, op.Len(dims))
		for i := range half {
			half[i] = float32(rand.New(rand.NewPCG(uint64(p.count), uint64(i))).IntN(7)-3) / 2
		}
		n = p.Filled(name, half, dims...)
	default:
		n = p.Input(name, dims...)
	}
	if d, ok := n.Value().(*tensor.Dense); ok && len(dims) == 2 && kind == 2 && dims[0] > 1 && dims[1] > 1 {
		turned := p.turned(d)
		require.NoError(p.T, gorgonia.Let(n, turned))
	}
	p.inputs = append(p.inputs, n)
	return n
}

// turned has the numbers of d in the memory of its transpose.
func (p *plant) turned(d *tensor.Dense) tensor.Tensor {
	t, err := tensor.Transpose(d)
	require.NoError(p.T, err)
	require.NoError(p.T, t.(*tensor.Dense).T())
	return t
}

// any is a value of the pool; of is one of some number of axes, a new input if there is none.
func (p *plant) any() *node { return p.pool[len(p.pool)-1-p.next(len(p.pool))] }

func (p *plant) of(dims ...int) *node {
	var fit []*node
	for _, n := range p.pool {
		if slices.Contains(dims, n.Dims()) && p.typed(n) {
			fit = append(fit, n)
		}
	}
	if k := p.next(len(fit) + 1); k < len(fit) {
		return fit[len(fit)-1-k]
	}
	n := p.input(p.shapeOf(dims[p.next(len(dims))])...)
	p.pool = append(p.pool, n)
	return n
}

func (p *plant) tensor() *node { return p.of(1, 2, 3, 4) }

// typed says whether n is of the graph's element type. What a DiagFlat gave is a matrix of vectors, and its type fits nothing.
func (p *plant) typed(n *node) bool {
	t, ok := n.Type().(gorgonia.TensorType)
	return ok && t.Of == p.Dt || n.Type() == p.Dt
}

// like is a value of a shape: of the pool, or a new input.
func (p *plant) like(s tensor.Shape) *node {
	var fit []*node
	for _, n := range p.pool {
		if n.Shape().Eq(s) && n.Dims() == len(s) && p.typed(n) {
			fit = append(fit, n)
		}
	}
	if k := p.next(len(fit) + 1); k < len(fit) {
		return fit[len(fit)-1-k]
	}
	return p.input(s...)
}

// tame is a value between −1 and 1, positive one between 0.5 and 1.5.
func (p *plant) tame(x *node) *node { return must(gorgonia.Tanh(x)) }

func (p *plant) positive(x *node) *node {
	return must(gorgonia.Add(must(gorgonia.Square(p.tame(x))), p.constant(0.5)))
}

func (p *plant) constant(x float64) *node {
	if p.Dt == tensor.Float32 {
		return gorgonia.NewConstant(float32(x))
	}
	return gorgonia.NewConstant(x)
}

func (p *plant) axes(x *node) (axes []int) {
	mask := p.next(1 << x.Dims())
	for axis := range x.Dims() {
		if mask>>axis&1 == 1 {
			axes = append(axes, axis)
		}
	}
	return axes
}

// ours applies one of our operations. They say what is wrong with a shape; nothing is allowed to be.
func (p *plant) ours(o op.Op, in ...*node) *node {
	for _, n := range in {
		if !p.typed(n) && n.Dtype() != tensor.Int {
			return nil
		}
	}
	y, err := op.Apply(o, in...)
	var se *shape.Error
	if errors.As(err, &se) {
		p.broken = append(p.broken, err.Error())
		return nil
	}
	require.NoError(p.T, err)
	return y
}
