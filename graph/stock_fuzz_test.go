package graph_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// FuzzStockGraphs builds a graph of Gorgonia's operations and of ours from the bytes, runs it with every node kept and compares
// each of them with its own Do, then runs it with only its roots asked for, so that passes have all they may want to fuse, on the
// CPU engine and on the one that proves plans sound, and compares these.
func FuzzStockGraphs(f *testing.F) {
	rng := rand.New(rand.NewPCG(20, 26))
	for kind := range len(grown) { // every way to grow a graph, behind and before others
		seed := []byte{byte(kind), byte(kind >> 1)}
		for range 3 {
			seed = append(seed, byte(kind))
			for range 6 {
				seed = append(seed, byte(rng.UintN(256)))
			}
		}
		f.Add(seed)
	}
	for range 150 {
		seed := make([]byte, 8+rng.IntN(100))
		for i := range seed {
			seed[i] = byte(rng.UintN(256))
		}
		f.Add(seed)
	}
	// Loops waited for each other: a way from one group of steps back to itself led through a step before all of its members.
	f.Add([]byte{0x0, 0x51, 0x0, 0x0, 0x0, 0x0, 0x0, 0xb3, 0x0, 0x0, 0xbd, 0x70, 0xce})
	e := openCPU(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 256 {
			data = data[:256]
		}
		fuzzStock(t, e, data)
	})
}

func fuzzStock(t *testing.T, e graph.Engine, data []byte) {
	s := sprout(t, data, true)
	if s == nil { // Gorgonia cannot differentiate this graph
		s = sprout(t, data, false)
	}
	all := computed(s.G)
	if len(all) == 0 {
		return
	}
	machine := func(e graph.Engine, opts ...gorgonia.VMOpt) *graph.Machine {
		opts = append(opts, graph.Using(graph.WithEngine(e)), graph.WithSeed(5))
		if s.evaluating {
			opts = append(opts, gorgonia.EvalMode())
		}
		m := graph.NewTapeMachine(s.G, opts...)
		require.NoError(t, m.Err(), "%s", s)
		require.NoError(t, m.RunAll(), "%s", s)
		return m
	}
	kept := machine(e, graph.Keep(all...))
	defer kept.Close()
	check := &checker{t: t, m: kept, evaluating: s.evaluating, lenient: true, rng: rand.New(rand.NewPCG(1, 2))}
	check.nodes(s.G)

	want := map[*gorgonia.Node]array{}
	for _, n := range all {
		v, err := kept.Value(n)
		require.NoError(t, err)
		want[n] = arrayOf(t, v)
	}
	// What rounding may do to a value depends on all the operations in front of it. The graph itself tells how much, run with
	// inputs whose last places differ.
	doubt := map[*gorgonia.Node]float64{}
	before := map[*gorgonia.Node]gorgonia.Value{}
	for _, n := range s.inputs {
		before[n] = n.Value()
	}
	for range 2 {
		for _, n := range s.inputs {
			require.NoError(t, gorgonia.Let(n, nudge(t, check.rng, before[n], 64)))
		}
		moved := machine(e, graph.Keep(all...))
		for _, n := range all {
			v, err := moved.Value(n)
			require.NoError(t, err)
			doubt[n] = max(doubt[n], farthest(want[n].x, arrayOf(t, v).x))
		}
		require.NoError(t, moved.Close())
	}
	for _, n := range s.inputs {
		require.NoError(t, gorgonia.Let(n, before[n]))
	}
	for _, engine := range []graph.Engine{e, enginetest.Checker{Probe: true}} {
		roots := machine(engine)
		compared := 0
		for _, n := range all {
			v, err := roots.Value(n)
			if err != nil {
				continue
			}
			compared++
			tol := numtest.Tolerance{}
			switch n.Dtype() {
			case tensor.Float64, tensor.Float32:
				tol = numtest.Tol(n.Dtype(), numtest.Gradient)
				// Values are of order 1: what is smaller than some thousand roundings of 1 is what a cancellation left.
				tol.Abs = 8*doubt[n] + map[tensor.Dtype]float64{tensor.Float64: 0x1p-40, tensor.Float32: 0x1p-11}[n.Dtype()]
			case tensor.Int, tensor.Bool:
				if doubt[n] > 0 {
					tol.Abs = math.Inf(1)
				}
			}
			numtest.AssertClose(t, want[n].x, arrayOf(t, v).x, tol, engine.Name()+", roots only: "+describe(n))
		}
		if compared == 0 {
			t.Errorf("%s: nothing to compare", engine.Name())
		}
		if t.Failed() {
			t.Logf("%v\n%v", s, roots.Plan())
		}
		require.NoError(t, roots.Close())
	}
}

// The fuzz test is worth what its graphs are: every way to grow one succeeds, many have gradients, and next to nothing goes
// without comparison.
func TestFuzzedGraphs(t *testing.T) {
	e := openCPU(t)
	rng := rand.New(rand.NewPCG(3, 4))
	succeeded := map[string]int{}
	graphs, differentiated, all, unknown := 200, 0, 0, 0
	for range graphs {
		seed := make([]byte, 60)
		for i := range seed {
			seed[i] = byte(rng.UintN(256))
		}
		s := sprout(t, seed, true)
		if s == nil {
			s = sprout(t, seed, false)
		} else if slices.ContainsFunc(s.G.AllNodes(), func(n *node) bool { return len(n.DerivOf()) > 0 }) {
			differentiated++
		}
		for name, k := range s.succeeded {
			succeeded[name] += k
		}
		m := graph.NewTapeMachine(s.G, graph.Using(graph.WithEngine(e)), graph.Keep(computed(s.G)...))
		require.NoError(t, m.RunAll())
		c := &checker{t: t, m: m}
		for _, n := range computed(s.G) {
			var in []gorgonia.Value
			for _, child := range op.Children(n) {
				in = append(in, c.value(child))
			}
			all++
			if _, err := c.compute(n, in); err != nil {
				unknown++
			}
		}
		require.NoError(t, m.Close())
	}
	for _, g := range grown {
		require.NotZero(t, succeeded[g.name], g.name)
	}
	require.Greater(t, differentiated, graphs*2/5)
	require.Less(t, unknown, all/100, "nodes without a reference, of %d", all)
}

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

// grown are the ways in which a graph grows. Images are NCHW in stock Gorgonia and NHWC in ours.
var grown = []named[func(p *plant) *node]{
	{"unary", func(p *plant) *node {
		u, x := unaryFns[p.next(len(unaryFns))], p.any()
		switch u.name {
		case "Log", "Log2", "Sqrt", "Inverse", "InverseSqrt", "Log1p":
			x = p.positive(x)
		case "Exp", "Expm1", "Cube", "Square":
			x = p.tame(x)
		}
		return must(u.f(x))
	}},
	{"arithmetic", func(p *plant) *node {
		f, x := arithmeticFns[p.next(len(arithmeticFns))], p.any()
		y := p.like(x.Shape())
		switch f.name {
		case "HadamardDiv":
			y = p.positive(y)
		case "Pow":
			x, y = p.positive(x), p.tame(y)
		case "HadamardProd":
			x = p.tame(x)
		}
		return must(f.f(x, y))
	}},
	{"arithmetic with a scalar", func(p *plant) *node {
		f, x := arithmeticFns[p.next(len(arithmeticFns))], p.any()
		y := p.constant(float64(p.next(7)+2) / 4)
		if p.next(2) == 0 {
			y = p.of(0)
		}
		if f.name == "HadamardDiv" || f.name == "Pow" {
			x, y = p.positive(x), p.positive(y)
		}
		if p.next(2) == 0 {
			x, y = y, x
		}
		return must(f.f(x, y))
	}},
	{"comparison", func(p *plant) *node {
		f, x := comparisonFns[p.next(len(comparisonFns))], p.any()
		y := p.like(x.Shape())
		if p.next(8) == 0 {
			must(f.f(x, y, false)) // booleans: a root
			return nil
		}
		mask := must(f.f(x, y, true))
		if p.next(2) == 0 {
			return must(gorgonia.HadamardProd(x, mask))
		}
		return mask
	}},
	{"min or max", func(p *plant) *node {
		x := p.tensor()
		if p.next(2) == 0 {
			return must(gorgonia.MinBetween(x, p.like(x.Shape())))
		}
		return must(gorgonia.MaxBetween(x, p.like(x.Shape())))
	}},
	{"matrix product", func(p *plant) *node {
		x := p.of(2)
		return must(gorgonia.Mul(x, p.like(tensor.Shape{x.Shape()[1], p.shapeOf(1)[0]})))
	}},
	{"product with a transpose", func(p *plant) *node {
		x := p.of(2)
		y := p.like(tensor.Shape{p.shapeOf(1)[0], x.Shape()[1]})
		return must(gorgonia.Mul(x, must(gorgonia.Transpose(y))))
	}},
	{"vector product", func(p *plant) *node {
		m, v := p.of(2), 0
		switch p.next(4) {
		case 0:
			v = m.Shape()[1]
			return must(gorgonia.Mul(m, p.like(tensor.Shape{v})))
		case 1:
			v = m.Shape()[0]
			return must(gorgonia.Mul(p.like(tensor.Shape{v}), m))
		case 2:
			x := p.of(1)
			return must(gorgonia.Mul(x, p.like(x.Shape())))
		}
		p.rigid = true // the gradient multiplies shapes that do not fit
		return must(gorgonia.OuterProd(p.of(1), p.of(1)))
	}},
	{"batched product", func(p *plant) *node {
		x := p.of(3)
		s, n := x.Shape(), p.shapeOf(1)[0]
		ta, tb := p.next(2) == 1, p.next(2) == 1
		k := s[2]
		if ta {
			k = s[1]
		}
		y := tensor.Shape{s[0], k, n}
		if tb {
			y = tensor.Shape{s[0], n, k}
		}
		return must(gorgonia.BatchedMatMul(x, p.like(y), ta, tb))
	}},
	{"tensordot", func(p *plant) *node {
		x := p.of(2, 3)
		a := p.next(x.Dims())
		y := p.shapeOf(1 + p.next(3))
		b := p.next(len(y))
		y[b] = x.Shape()[a]
		return must(gorgonia.Tensordot([]int{a}, []int{b}, x, p.like(y)))
	}},
	{"reduction", func(p *plant) *node {
		f, x := []func(*node, ...int) (*node, error){gorgonia.Sum, gorgonia.Mean, gorgonia.Max}[p.next(3)], p.tensor()
		return must(f(p.tame(x), p.axes(x)...))
	}},
	{"reshape", func(p *plant) *node {
		x := p.any()
		var to tensor.Shape
		for rest := op.Len(x.Shape()); rest > 1; {
			d := []int{2, 3, 5, 7, rest}[p.next(5)]
			if rest%d == 0 {
				to, rest = append(to, d), rest/d
			} else {
				to, rest = append(to, rest), 1
			}
			if len(to) == 3 && rest > 1 {
				to, rest = append(to, rest), 1
			}
		}
		if p.next(4) == 0 && len(to) < 4 {
			to = slices.Insert(to, p.next(len(to)+1), 1)
		}
		if len(to) == 0 {
			to = tensor.Shape{1}
		}
		return must(gorgonia.Reshape(x, to))
	}},
	{"transpose", func(p *plant) *node {
		x := p.of(2, 3, 4)
		axes := make([]int, x.Dims())
		for i := range axes {
			axes[i] = i
		}
		for i := range axes {
			j := i + p.next(len(axes)-i)
			axes[i], axes[j] = axes[j], axes[i]
		}
		return must(gorgonia.Transpose(x, axes...))
	}},
	{"slice", func(p *plant) *node {
		x := p.tensor()
		by := make([]tensor.Slice, x.Dims())
		for axis, d := range x.Shape() {
			from := p.next(d)
			to := from + 1 + p.next(d-from)
			switch p.next(4) {
			case 0:
				by[axis] = gorgonia.S(from, to)
			case 1:
				by[axis] = gorgonia.S(from)
			case 2:
				if (to-from)%2 == 0 {
					by[axis] = gorgonia.S(from, to, 2)
				}
			}
		}
		return must(gorgonia.Slice(x, by...))
	}},
	{"concat", func(p *plant) *node {
		x := p.tensor()
		axis, other := p.next(x.Dims()), x.Shape()
		other[axis] = p.shapeOf(1)[0]
		in := nodes{x, p.like(other)}
		if p.next(2) == 0 {
			in = append(in, x)
		}
		return must(gorgonia.Concat(axis, in...))
	}},
	{"broadcast", func(p *plant) *node {
		x := p.of(2, 3, 4)
		axes := p.axes(x)
		var small tensor.Shape
		var on []byte
		keep := p.next(2) == 0
		for axis, d := range x.Shape() {
			switch {
			case !slices.Contains(axes, axis):
				small = append(small, d)
			case keep:
				small = append(small, 1)
			}
			if slices.Contains(axes, axis) {
				on = append(on, byte(axis))
			}
		}
		if len(small) == 0 {
			return nil
		}
		y := p.like(small)
		switch p.next(4) {
		case 0:
			return must(gorgonia.BroadcastAdd(x, y, nil, on))
		case 1:
			return must(gorgonia.BroadcastSub(y, x, on, nil))
		case 2:
			return must(gorgonia.BroadcastHadamardProd(p.tame(x), y, nil, on))
		}
		return must(gorgonia.BroadcastHadamardDiv(x, p.positive(y), nil, on))
	}},
	{"convolution", func(p *plant) *node {
		x := p.of(4)
		s := x.Shape()
		pad := []int{p.next(3), p.next(3)}
		dil := []int{1 + p.next(2), 1}
		k := tensor.Shape{1 + p.next(3), 1 + p.next(3)}
		k[0], k[1] = min(k[0], (s[2]+2*pad[0]-1)/dil[0]+1), min(k[1], s[3]+2*pad[1])
		w := p.like(tensor.Shape{p.shapeOf(1)[0], s[1], k[0], k[1]})
		y := must(gorgonia.Conv2d(x, w, k, pad, []int{1 + p.next(2), 1 + p.next(2)}, dil))
		switch p.next(4) {
		case 0:
			return must(gorgonia.Rectify(y))
		case 1:
			return must(gorgonia.BroadcastAdd(y, p.like(tensor.Shape{1, w.Shape()[0], 1, 1}), nil, []byte{0, 2, 3}))
		}
		return y
	}},
	{"pool", func(p *plant) *node {
		x := p.of(4)
		s := x.Shape()
		k := tensor.Shape{min(1+p.next(3), s[2]), min(1+p.next(3), s[3])}
		pad := []int{p.next(k[0]), p.next(k[1])}
		if p.next(2) == 0 {
			pad = []int{p.next(k[0]), p.next(k[0]), p.next(k[1]), p.next(k[1])}
		}
		stride := []int{1 + p.next(3), 1 + p.next(2)}
		if p.next(2) == 0 {
			return must(gorgonia.MaxPool2D(x, k, pad, stride))
		}
		return must(gorgonia.AveragePool2D(x, k, pad, stride))
	}},
	{"global average", func(p *plant) *node { return must(gorgonia.GlobalAveragePool2D(p.of(4))) }},
	{"batch norm", func(p *plant) *node {
		x := p.of(2, 4)
		c := tensor.Shape{1, x.Shape()[1]}
		if x.Dims() == 4 {
			c = append(c, 1, 1)
		}
		y, _, _, o, err := gorgonia.BatchNorm(x, p.like(c), p.like(c), float64(p.next(5))/4, 1e-2)
		if err != nil {
			panic(err)
		}
		mean, variance := o.Stats()
		for i, t := range []tensor.Tensor{mean, variance} {
			require.NoError(p.T, tensor.Copy(t, p.Positive(fmt.Sprint("statistics", i, p.count), c[1]).Value().(tensor.Tensor)))
		}
		return y
	}},
	{"group norm", func(p *plant) *node {
		x := p.of(4)
		c := x.Shape()[1]
		groups := 1
		if p.next(2) == 0 {
			groups = c
		}
		s := tensor.Shape{1, c, 1, 1}
		return must(gorgonia.GroupNorm(x, p.like(s), p.like(s), groups, c, 1e-2))
	}},
	{"layer norm", func(p *plant) *node { // as users write it
		x := p.of(2)
		mean := must(gorgonia.Mean(x, 1))
		centred := must(gorgonia.BroadcastSub(x, mean, nil, []byte{1}))
		variance := must(gorgonia.Mean(must(gorgonia.Square(centred)), 1))
		sigma := must(gorgonia.Sqrt(must(gorgonia.Add(variance, p.constant(1.0/64)))))
		return must(gorgonia.BroadcastHadamardDiv(centred, sigma, nil, []byte{1}))
	}},
	{"gate", func(p *plant) *node { // of a recurrent cell
		x := p.of(2)
		w := p.like(tensor.Shape{x.Shape()[1], 3})
		a := must(gorgonia.Mul(x, w))
		b := must(gorgonia.BroadcastAdd(a, p.like(tensor.Shape{3}), nil, []byte{0}))
		i, g := must(gorgonia.Sigmoid(b)), must(gorgonia.Tanh(b))
		return must(gorgonia.Add(must(gorgonia.HadamardProd(i, g)), must(gorgonia.HadamardProd(must(gorgonia.Sub(p.constant(1), i)), a))))
	}},
	{"attention", func(p *plant) *node {
		x := p.of(3)
		scores := must(gorgonia.BatchedMatMul(x, x, false, true))
		weights := must(gorgonia.SoftMax(must(gorgonia.HadamardProd(p.tame(scores), p.constant(0.5))), 2))
		return must(gorgonia.BatchedMatMul(weights, x))
	}},
	{"dropout", func(p *plant) *node { return must(gorgonia.Dropout(p.tensor(), float64(p.next(3))/4)) }},
	{"softmax", func(p *plant) *node {
		x := p.tensor()
		var axes []int
		if p.next(2) == 0 {
			axes = []int{p.next(x.Dims())}
		}
		if p.next(2) == 0 {
			return must(gorgonia.SoftMax(x, axes...))
		}
		return must(gorgonia.LogSoftMax(x, axes...))
	}},
	{"cross-entropy", func(p *plant) *node { // as users write it
		x := p.of(2)
		prob := must(gorgonia.Add(must(gorgonia.SoftMax(p.tame(x))), p.constant(1.0/1024)))
		return must(gorgonia.Neg(must(gorgonia.Mean(must(gorgonia.HadamardProd(must(gorgonia.Log(prob)), p.like(x.Shape())))))))
	}},
	{"one element", func(p *plant) *node {
		x := p.tensor()
		var at []int
		for _, d := range x.Shape() {
			at = append(at, p.next(d))
		}
		return must(gorgonia.At(x, at...))
	}},
	{"rows by index", func(p *plant) *node {
		x := p.tensor()
		axis := p.next(x.Dims())
		p.count++
		return must(gorgonia.ByIndices(x, p.Labels(fmt.Sprint("which", p.count), 1+p.next(6), x.Shape()[axis]), axis))
	}},
	{"upsample", func(p *plant) *node { return must(gorgonia.Upsample2D(p.of(4), 1+p.next(3))) }},
	{"conversion", func(p *plant) *node {
		x := p.tensor()
		return must(gorgonia.ConvType(must(gorgonia.ConvType(x, p.Dt, tensor.Int)), tensor.Int, p.Dt))
	}},
	{"diagonal", func(p *plant) *node { return must(gorgonia.DiagFlat(p.of(1))) }},
	{"rectifier", func(p *plant) *node {
		switch x := p.any(); p.next(3) {
		case 0:
			return must(gorgonia.LeakyRelu(x, 0.25))
		case 1:
			return must(gorgonia.Mish(x))
		default:
			return must(gorgonia.Rectify(x))
		}
	}},
	{"noise", func(p *plant) *node {
		x := p.tensor()
		r := []func(*gorgonia.ExprGraph, tensor.Dtype, float64, float64, ...int) *node{gorgonia.UniformRandomNode,
			gorgonia.GaussianRandomNode, gorgonia.BinomialRandomNode}[p.next(3)](p.G, p.Dt, 2, 0.5, x.Shape()...)
		return must(gorgonia.HadamardProd(p.tame(x), r))
	}},
	{"user's operation", func(p *plant) *node {
		x := p.of(2)
		return must(gorgonia.ApplyOp(userOp{name: "user's", do: first}, x, p.like(x.Shape())))
	}},
	{"doubled sum", func(p *plant) *node { // shared subexpressions
		x := p.any()
		y := must(gorgonia.Exp(p.tame(x)))
		return must(gorgonia.Sub(must(gorgonia.Add(y, y)), must(gorgonia.HadamardProd(must(gorgonia.Exp(p.tame(x))), y))))
	}},

	// Ours.
	{"our ReLU", func(p *plant) *node { return p.ours(&op.ReLU{}, p.any()) }},
	{"our sum", func(p *plant) *node {
		x := p.any()
		return p.ours(&op.Add{}, x, p.like(x.Shape()))
	}},
	{"our product", func(p *plant) *node {
		x := p.any()
		return p.ours(&op.Mul{}, p.tame(x), p.like(x.Shape()))
	}},
	{"our scale", func(p *plant) *node { return p.ours(&op.Scale{Factor: 0.75}, p.any()) }},
	{"our bias", func(p *plant) *node {
		x := p.tensor()
		axis := p.next(x.Dims())
		y := p.ours(&op.BiasAdd{Axis: axis}, x, p.like(tensor.Shape{x.Shape()[axis]}))
		if p.next(2) == 0 {
			return p.ours(&op.ReLU{}, y)
		}
		return y
	}},
	{"our product of matrices", func(p *plant) *node {
		x := p.of(2)
		n := p.shapeOf(1)[0]
		y := p.ours(&op.MatMul{}, x, p.like(tensor.Shape{x.Shape()[1], n}))
		if p.next(2) == 0 {
			y = p.ours(&op.ReLU{}, p.ours(&op.BiasAdd{Axis: -1}, y, p.like(tensor.Shape{n})))
		}
		return y
	}},
	{"our convolution", func(p *plant) *node {
		x := p.of(4)
		y := p.ours(&op.Conv2D{ConvAttrs: op.ConvAttrs{Padding: shape.Padding{Mode: shape.Same}}}, x,
			p.like(tensor.Shape{3, 2, x.Shape()[3], p.shapeOf(1)[0]}))
		if p.next(2) == 0 {
			y = p.ours(&op.BiasAdd{Axis: -1}, y, p.like(tensor.Shape{y.Shape()[3]}))
		}
		if p.next(2) == 0 {
			y = p.ours(&op.ReLU{}, y)
		}
		return y
	}},
	{"our pool", func(p *plant) *node {
		a := op.PoolAttrs{Pool: [2]int{2, 3}, Strides: [2]int{1 + p.next(2), 1}, Padding: shape.Padding{Mode: shape.Same}}
		if p.next(2) == 0 {
			return p.ours(&op.MaxPool2D{PoolAttrs: a}, p.of(4))
		}
		return p.ours(&op.AvgPool2D{PoolAttrs: a}, p.of(4))
	}},
	{"our batch norm", func(p *plant) *node {
		x := p.of(2, 3, 4)
		c := tensor.Shape{x.Shape()[x.Dims()-1]}
		if p.next(2) == 0 {
			return p.ours(&op.BatchNormInference{Axis: -1, Epsilon: 1e-2}, x, p.like(c), p.like(c), p.like(c), p.positive(p.like(c)))
		}
		y, _, _, err := op.BatchNormTraining(x, p.like(c), p.like(c), -1, 1e-2)
		require.NoError(p.T, err)
		return y
	}},
	{"our permutation", func(p *plant) *node { return p.ours(&op.Permute{Axes: []int{0, 2, 3, 1}}, p.of(4)) }},
	{"our padding", func(p *plant) *node {
		return p.ours(&op.ZeroPad2D{Top: p.next(2), Bottom: p.next(3), Left: 1, Right: p.next(2)}, p.of(4))
	}},
	{"our softmax", func(p *plant) *node {
		if p.next(2) == 0 {
			return p.ours(&op.Softmax{}, p.of(2))
		}
		return p.ours(&op.LogSoftmax{}, p.of(2))
	}},
	{"our loss", func(p *plant) *node {
		x := p.of(2)
		p.count++
		labels := p.Labels(fmt.Sprint("labels", p.count), x.Shape()[0], x.Shape()[1])
		return p.ours(&op.Mean{}, p.ours(&op.SoftmaxCrossEntropy{}, x, labels))
	}},
	{"our dropout", func(p *plant) *node {
		p.count++
		return p.ours(&op.Dropout{Rate: 0.25, Seed: 3, Stream: uint32(p.count)}, p.tensor(), p.Int(fmt.Sprint("step", p.count), p.next(9)))
	}},
	{"our penalty", func(p *plant) *node { return p.ours(&op.L2Penalty{Lambda: 0.25}, p.tame(p.tensor())) }},
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
