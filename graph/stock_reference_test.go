package graph_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// What the values of a graph of stock operations are compared with, node by node: the operation's own Do on copies of the
// inputs' values, or, where stock Gorgonia is wrong, loops as plain as the definition, in float64. A node is computed from the
// values that the machine under test has for its inputs, so that an error shows where it is made.

func init() { log.SetOutput(io.Discard) } // Gorgonia's gradient of GroupNorm prints its operands

// array is a value in float64.
type array struct {
	shape tensor.Shape
	x     []float64
}

func zeros(s tensor.Shape) array { return array{s.Clone(), make([]float64, op.Len(s))} }

func arrayOf(t testing.TB, v gorgonia.Value) array {
	a, err := op.AsArray(v)
	require.NoError(t, err)
	y := zeros(a.Shape)
	switch d := a.Data.(type) {
	case []float32:
		for i, v := range d {
			y.x[i] = float64(v)
		}
	case []float64:
		copy(y.x, d)
	case []int:
		for i, v := range d {
			y.x[i] = float64(v)
		}
	case []bool:
		for i, v := range d {
			if v {
				y.x[i] = 1
			}
		}
	default:
		t.Fatalf("element type %v", a.Dtype())
	}
	return y
}

// at is the index of a place; ok is false outside the shape.
func (a array) at(place ...int) (index int, ok bool) {
	for axis, p := range place {
		if p < 0 || p >= a.shape[axis] {
			return 0, false
		}
		index = index*a.shape[axis] + p
	}
	return index, true
}

// places calls f with every place of a shape, in the order of memory.
func places(s tensor.Shape, f func(i int, place []int)) {
	place := make([]int, len(s))
	for i := range op.Len(s) {
		rest := i
		for axis := len(s) - 1; axis >= 0; axis-- {
			place[axis], rest = rest%s[axis], rest/s[axis]
		}
		f(i, place)
	}
}

// attrs reads the fields of a stock operation.
type attrs struct{ v reflect.Value }

func attrsOf(o gorgonia.Op) attrs {
	v := reflect.ValueOf(o)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return attrs{v}
}

func (a attrs) name() string           { return a.v.Type().Name() }
func (a attrs) int(f string) int       { return int(a.v.FieldByName(f).Int()) }
func (a attrs) float(f string) float64 { return a.v.FieldByName(f).Float() }
func (a attrs) bool(f string) bool     { return a.v.FieldByName(f).Bool() }
func (a attrs) ints(f string) (is []int) {
	for i := range a.v.FieldByName(f).Len() {
		is = append(is, int(a.v.FieldByName(f).Index(i).Int()))
	}
	return is
}

// plain computes a node from its inputs in float64. x is the node's inputs' values.
type plain func(n *gorgonia.Node, x []array) array

// wrong are the operations whose Do is not compared with, and what is instead (see docs/gorgonia.md).
var wrong = map[string]plain{
	"sumOp": func(n *gorgonia.Node, x []array) array { // wrong or panics over axis 2
		return reduced(n, x[0], 0, func(a, b float64) float64 { return a + b })
	},
	"maxOp": func(n *gorgonia.Node, x []array) array { // the same
		return reduced(n, x[0], math.Inf(-1), func(a, b float64) float64 { return max(a, b) })
	},
	"maxPoolDiffOp": func(n *gorgonia.Node, x []array) array { // wants the state that the forward operation left
		dx := zeros(x[0].shape)
		for i, w := range windows(n.Op(), x[0], x[2].shape) {
			dx.x[argmax(x[0], w)] += x[2].x[i]
		}
		return dx
	},
	"avgPoolOp": func(n *gorgonia.Node, x []array) array { // divides by a wrong count; padding does not count here
		y := zeros(n.Shape())
		for i, w := range windows(n.Op(), x[0], y.shape) {
			for _, k := range w {
				y.x[i] += x[0].x[k] / float64(len(w))
			}
		}
		return y
	},
	"avgPoolDiffOp": func(n *gorgonia.Node, x []array) array {
		dx := zeros(x[0].shape)
		for i, w := range windows(n.Op(), x[0], x[2].shape) {
			for _, k := range w {
				dx.x[k] += x[2].x[i] / float64(len(w))
			}
		}
		return dx
	},
	"softmaxOp": func(n *gorgonia.Node, x []array) array { // large logits
		y := zeros(x[0].shape)
		for _, row := range lines(x[0].shape, softmaxAxisOf(n.Op(), x[0].shape)) {
			top, sum := math.Inf(-1), 0.0
			for _, k := range row {
				top = max(top, x[0].x[k])
			}
			for _, k := range row {
				sum += math.Exp(x[0].x[k] - top)
			}
			for _, k := range row {
				if y.x[k] = x[0].x[k] - top - math.Log(sum); !attrsOf(n.Op()).bool("isLog") {
					y.x[k] = math.Exp(x[0].x[k]-top) / sum
				}
			}
		}
		return y
	},
	"softmaxDiffOp": func(n *gorgonia.Node, x []array) array {
		y, dy, dx := x[1], x[2], zeros(x[1].shape)
		for _, row := range lines(y.shape, softmaxAxisOf(n.Op(), y.shape)) {
			dot := 0.0
			for _, k := range row {
				if attrsOf(n.Op()).bool("isLog") {
					dot += dy.x[k]
				} else {
					dot += y.x[k] * dy.x[k]
				}
			}
			for _, k := range row {
				if attrsOf(n.Op()).bool("isLog") {
					dx.x[k] = dy.x[k] - math.Exp(y.x[k])*dot
				} else {
					dx.x[k] = y.x[k] * (dy.x[k] - dot)
				}
			}
		}
		return dx
	},
	"GroupNormOp": func(n *gorgonia.Node, x []array) array { // groups of more than some hundred elements
		y, _ := groupNorm(n.Op(), x[0], nil)
		return y
	},
	"groupNormDiffOp": func(n *gorgonia.Node, x []array) array {
		_, dx := groupNorm(n.Op(), x[0], x[1].x)
		return dx
	},
	"sigmoid": func(n *gorgonia.Node, x []array) array { // 1 from about 20 on
		y := zeros(n.Shape())
		for i, v := range x[0].x {
			y.x[i] = 1 / (1 + math.Exp(-v))
		}
		return y
	},
	"sign": func(n *gorgonia.Node, x []array) array { // 1 of a scalar 0
		y := zeros(n.Shape())
		for i, v := range x[0].x {
			if y.x[i] = v; v != 0 && !math.IsNaN(v) {
				y.x[i] = math.Copysign(1, v)
			}
		}
		return y
	},
	"softplus": func(n *gorgonia.Node, x []array) array { // x from about 20 on
		y := zeros(n.Shape())
		for i, v := range x[0].x {
			y.x[i] = math.Log1p(math.Exp(-math.Abs(v))) + max(v, 0)
		}
		return y
	},
	// A step that does not divide the range gives more slices than the node's shape says, on axes other than the first.
	"sliceOp": func(n *gorgonia.Node, x []array) array {
		y := zeros(n.Shape())
		for i, k := range slicedIndices(n.Op(), x[0].shape, len(y.x)) {
			y.x[i] = x[0].x[k]
		}
		return y
	},
	"sliceIncrOp": func(n *gorgonia.Node, x []array) array {
		dx := zeros(x[0].shape)
		for i, k := range slicedIndices(n.Op(), x[0].shape, len(x[1].x)) {
			dx.x[k] = x[1].x[i]
		}
		return dx
	},
	"tensordotOp": func(n *gorgonia.Node, x []array) array { // refuses axes of one element
		a, b := attrsOf(n.Op()).ints("aAxes"), attrsOf(n.Op()).ints("bAxes")
		var y []float64
		places(free(x[0].shape, a), func(_ int, left []int) {
			places(free(x[1].shape, b), func(_ int, right []int) {
				sum := 0.0
				places(only(x[0].shape, a), func(_ int, common []int) {
					i, _ := x[0].at(merged(x[0].shape, a, left, common)...)
					j, _ := x[1].at(merged(x[1].shape, b, right, common)...)
					sum += x[0].x[i] * x[1].x[j]
				})
				y = append(y, sum)
			})
		})
		return array{n.Shape(), y}
	},
	"byIndicesOp": func(n *gorgonia.Node, x []array) array { // axes other than the first
		y := zeros(n.Shape())
		for i, k := range gathered(n.Op(), x[0].shape, x[1].x) {
			y.x[i] = x[0].x[k]
		}
		return y
	},
	"byIndicesOpDiffOp": func(n *gorgonia.Node, x []array) array {
		dx := zeros(x[0].shape)
		for i, k := range gathered(n.Op(), x[0].shape, x[2].x) {
			dx.x[k] += x[1].x[i]
		}
		return dx
	},
	"dtConvOp": func(n *gorgonia.Node, x []array) array { // panics
		y := zeros(n.Shape())
		for i, v := range x[0].x {
			if y.x[i] = v; n.Dtype() == tensor.Int {
				y.x[i] = math.Trunc(v)
			}
		}
		return y
	},
}

// reduced folds x over the axes of a reduction. What the additions of a sum round off is added up as well.
func reduced(n *gorgonia.Node, x array, start float64, f func(a, b float64) float64) array {
	along := attrsOf(n.Op()).ints("along")
	y, lost := zeros(n.Shape()), zeros(n.Shape())
	for i := range y.x {
		y.x[i] = start
	}
	places(x.shape, func(i int, place []int) {
		to := 0
		for axis, p := range place {
			if !slices.Contains(along, axis) {
				to = to*x.shape[axis] + p
			}
		}
		before := y.x[to]
		if y.x[to] = f(before, x.x[i]); y.x[to] == before+x.x[i] && !math.IsInf(y.x[to], 0) {
			if math.Abs(before) >= math.Abs(x.x[i]) {
				lost.x[to] += before - y.x[to] + x.x[i]
			} else {
				lost.x[to] += x.x[i] - y.x[to] + before
			}
		}
	})
	for i := range y.x {
		if start == 0 { // a sum
			y.x[i] += lost.x[i]
		}
	}
	return y
}

// windows lists for every element of a pooled image the elements of x that it is made of.
func windows(o gorgonia.Op, x array, pooled tensor.Shape) [][]int {
	a := attrsOf(o)
	top, left := a.int("padNorth"), a.int("padWest")
	if strings.HasPrefix(a.name(), "maxPool") && a.bool("explicitPadding") { // its north is at the bottom
		top, left = a.int("padSouth"), a.int("padEast")
	}
	all := make([][]int, op.Len(pooled))
	places(pooled, func(i int, p []int) {
		for r := range a.int("h") {
			for c := range a.int("w") {
				if k, ok := x.at(p[0], p[1], p[2]*a.int("strideH")+r-top, p[3]*a.int("strideW")+c-left); ok {
					all[i] = append(all[i], k)
				}
			}
		}
	})
	return all
}

func argmax(x array, among []int) int {
	best := among[0]
	for _, k := range among {
		if x.x[k] > x.x[best] {
			best = k
		}
	}
	return best
}

func softmaxAxisOf(o gorgonia.Op, s tensor.Shape) int {
	if axis := attrsOf(o).int("axis"); axis >= 0 {
		return axis
	}
	if s.IsColVec() {
		return 0
	}
	return len(s) - 1
}

// lines lists the elements along an axis, one line for every place of the other axes.
func lines(s tensor.Shape, axis int) [][]int {
	byPlace := map[string][]int{}
	var order []string
	places(s, func(i int, place []int) {
		p := slices.Clone(place)
		p[axis] = 0
		key := fmt.Sprint(p)
		if byPlace[key] == nil {
			order = append(order, key)
		}
		byPlace[key] = append(byPlace[key], i)
	})
	var all [][]int
	for _, key := range order {
		all = append(all, byPlace[key])
	}
	return all
}

// slicedIndices lists the elements that a slice takes.
func slicedIndices(o gorgonia.Op, x tensor.Shape, count int) (taken []int) {
	along := attrsOf(o).int("along")
	s := o.(interface{ IsSlice() tensor.Slice }).IsSlice()
	start, end, step := 0, x[along], 1
	if s != nil && s.End() > s.Start() {
		start, end, step = s.Start(), s.End(), max(s.Step(), 1)
	}
	each := max((end-start)/step, 1)
	places(x, func(i int, place []int) {
		if at := place[along] - start; at >= 0 && at%step == 0 && at/step < each {
			taken = append(taken, i)
		}
	})
	if len(taken) != count {
		panic(fmt.Sprintf("a slice %v of %v takes %d elements, want %d", o, x, len(taken), count))
	}
	return taken
}

// free are the sizes of the axes that are not named; only those of the named ones, in the order of their names.
func free(s tensor.Shape, axes []int) (rest tensor.Shape) {
	for axis, d := range s {
		if !slices.Contains(axes, axis) {
			rest = append(rest, d)
		}
	}
	return rest
}

func only(s tensor.Shape, axes []int) (named tensor.Shape) {
	for _, axis := range axes {
		named = append(named, s[axis])
	}
	return named
}

// merged puts the places on the named axes among those on the others.
func merged(s tensor.Shape, axes, others, named []int) []int {
	place := make([]int, len(s))
	for axis, k := range s {
		if k = slices.Index(axes, axis); k >= 0 {
			place[axis] = named[k]
		} else {
			place[axis], others = others[0], others[1:]
		}
	}
	return place
}

// gathered lists the elements that ByIndices takes.
func gathered(o gorgonia.Op, x tensor.Shape, indices []float64) (taken []int) {
	axis, y := attrsOf(o).int("axis"), x.Clone()
	y[axis] = len(indices)
	places(y, func(_ int, place []int) {
		from := slices.Clone(place)
		from[axis] = int(indices[place[axis]])
		k, _ := array{shape: x}.at(from...)
		taken = append(taken, k)
	})
	return taken
}

// normalised is batch norm's x̂ with the statistics of the batch, and 1/σ, by channel.
func normalised(x array, epsilon float64, mean, variance []float64) (xhat array, inverse []float64) {
	xhat, inverse = zeros(x.shape), make([]float64, len(mean))
	for c := range mean {
		inverse[c] = 1 / math.Sqrt(variance[c]+epsilon)
	}
	places(x.shape, func(i int, p []int) { xhat.x[i] = (x.x[i] - mean[p[1]]) * inverse[p[1]] })
	return xhat, inverse
}

// batchStats are mean and biased variance by channel.
func batchStats(x array) (mean, variance []float64) {
	c := x.shape[1]
	mean, variance = make([]float64, c), make([]float64, c)
	rows := float64(len(x.x) / c)
	places(x.shape, func(i int, p []int) { mean[p[1]] += x.x[i] / rows })
	places(x.shape, func(i int, p []int) { variance[p[1]] += (x.x[i] - mean[p[1]]) * (x.x[i] - mean[p[1]]) / rows })
	return mean, variance
}

// batchNorm is stock batch norm and its gradient; in evaluation with the running statistics of the operation, whose
// gradient is wrong in stock Gorgonia.
func batchNorm(t testing.TB, n *gorgonia.Node, x []array, evaluating bool) array {
	a := attrsOf(n.Op())
	o, ok := n.Op().(*gorgonia.BatchNormOp)
	if !ok {
		o = a.v.FieldByName("BatchNormOp").Interface().(*gorgonia.BatchNormOp)
	}
	mean, variance := batchStats(x[0])
	if evaluating {
		m, v := o.Stats()
		mean, variance = arrayOf(t, m.(gorgonia.Value)).x, arrayOf(t, v.(gorgonia.Value)).x
	}
	xhat, inverse := normalised(x[0], a.float("epsilon"), mean, variance)
	if ok {
		return xhat
	}
	dx, dy := zeros(x[0].shape), x[1]
	c := len(mean)
	rows := float64(len(dy.x) / c)
	sum, dot := make([]float64, c), make([]float64, c)
	if !evaluating {
		places(dy.shape, func(i int, p []int) { sum[p[1]] += dy.x[i]; dot[p[1]] += dy.x[i] * xhat.x[i] })
	}
	places(dy.shape, func(i int, p []int) {
		dx.x[i] = inverse[p[1]] * (dy.x[i] - sum[p[1]]/rows - xhat.x[i]*dot[p[1]]/rows)
	})
	return dx
}

// groupNorm is the groups' x̂ and, for a dy, the gradient of x.
func groupNorm(o gorgonia.Op, x array, dy []float64) (xhat, dx array) {
	xhat, dx = zeros(x.shape), zeros(x.shape)
	run := len(x.x) / x.shape[0] / attrsOf(o).int("numGroups")
	for lo := 0; lo < len(x.x); lo += run {
		mean, variance, sum, dot := 0.0, 0.0, 0.0, 0.0
		for _, v := range x.x[lo : lo+run] {
			mean += v / float64(run)
		}
		for _, v := range x.x[lo : lo+run] {
			variance += (v - mean) * (v - mean) / float64(run)
		}
		inverse := 1 / math.Sqrt(variance+attrsOf(o).float("epsilon"))
		for i := lo; i < lo+run; i++ {
			if xhat.x[i] = (x.x[i] - mean) * inverse; dy != nil {
				sum, dot = sum+dy[i], dot+dy[i]*xhat.x[i]
			}
		}
		for i := lo; dy != nil && i < lo+run; i++ {
			dx.x[i] = inverse * (dy[i] - sum/float64(run) - xhat.x[i]*dot/float64(run))
		}
	}
	return xhat, dx
}

// checker compares the values of a machine with those of stock Gorgonia.
type checker struct {
	t          testing.TB
	m          *graph.Machine
	evaluating bool
	do         bool // compare with Do even where a plain loop exists
	lenient    bool // skip nodes that Gorgonia itself cannot compute
	rng        *rand.Rand
}

// value is what the machine has for a node.
func (c *checker) value(n *gorgonia.Node) gorgonia.Value {
	if v, err := c.m.Value(n); err == nil {
		return v
	}
	v := n.Value() // an input or a constant
	require.NotNil(c.t, v, "no value of %v", n)
	if d, ok := v.(*tensor.Dense); ok && d.RequiresIterator() { // Do of some operations does not look
		v = tensor.Materialize(d).(*tensor.Dense)
	}
	return v
}

// nodes compares all computed nodes of a graph; the machine must have kept their values.
func (c *checker) nodes(g *gorgonia.ExprGraph) {
	c.t.Helper()
	for _, n := range computed(g) {
		c.node(n)
	}
}

// computed lists the nodes of a graph that have an operation and a value.
func computed(g *gorgonia.ExprGraph) (nodes []*gorgonia.Node) {
	for _, n := range g.AllNodes() {
		if _, constant := n.Op().(interface{ Value() gorgonia.Value }); n.Op() != nil && n.Type() != nil && !constant {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (c *checker) node(n *gorgonia.Node) {
	c.t.Helper()
	got, err := c.m.Value(n)
	require.NoError(c.t, err)
	if !n.Shape().Eq(got.Shape()) {
		c.t.Errorf("%s: shape %v, the node has %v", describe(n), got.Shape(), n.Shape())
		return
	}
	var in []gorgonia.Value
	for _, child := range op.Children(n) {
		in = append(in, c.value(child))
	}
	name := attrsOf(n.Op()).name()
	have := arrayOf(c.t, got)
	switch name {
	case "randomOp":
		return // nothing to compare with; TestStockRandom
	case "dropoutOp", "dropoutDiffOp":
		c.dropout(n, in, have)
		return
	}
	want, err := c.compute(n, in)
	if err != nil {
		if !c.lenient {
			c.t.Errorf("%s: %v", describe(n), err)
		}
		return
	}
	c.kinks(n, in, want, have)
	tol, sensitive := tolerance(n)
	if sensitive {
		// An error of a few units in the last place of every input is one that any order of sums and any library may make.
		// How much of the result that is, in a cancelling sum say, only the operation itself can tell.
		for range 2 {
			if moved, err := c.compute(n, c.nudged(in)); err == nil {
				tol.Abs = max(tol.Abs, farthest(want.x, moved.x))
			}
		}
	}
	if strings.HasSuffix(name, "ormDiffOp") {
		// A difference of terms of the size of dy/σ, which may be nothing but their rounding: of a channel of one element, say.
		tol.Abs += 32 * ulp(n.Dtype()) * largest(arrayOf(c.t, in[1]).x) / math.Sqrt(attrsOf(n.Op()).float("epsilon"))
	}
	numtest.AssertClose(c.t, want.x, have.x, tol, describe(n))
}

// kinks allows a rectifier's gradient to be 0 at exactly 0, as it is here, where Gorgonia's is 1 (see docs/gorgonia.md).
func (c *checker) kinks(n *gorgonia.Node, in []gorgonia.Value, want, have array) {
	if n.Op().String() != "⊙ false" {
		return
	}
	for i, mask := range op.Children(n) {
		if mask.Op() == nil || mask.Op().String() != ">= true" || !op.Children(mask)[1].IsScalar() {
			continue
		}
		x := arrayOf(c.t, c.value(op.Children(mask)[0]))
		other := arrayOf(c.t, in[1-i])
		for k := range want.x {
			if len(x.x) == len(want.x) && x.x[k] == 0 && have.x[k] == 0 && len(other.x) == len(want.x) {
				want.x[k] = 0
			}
		}
	}
}

// compute computes a node from its inputs' values.
func (c *checker) compute(n *gorgonia.Node, in []gorgonia.Value) (y array, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in stock Gorgonia: %v", r)
		}
	}()
	name := attrsOf(n.Op()).name()
	if s := n.Op().String(); name == "elemUnaryOp" && wrong[s] != nil {
		name = s
	}
	if !c.do {
		x := make([]array, len(in))
		for i, v := range in {
			x[i] = arrayOf(c.t, v)
		}
		if name == "BatchNormOp" || name == "batchnormDiffOp" {
			return batchNorm(c.t, n, x, c.evaluating), nil
		}
		if f := wrong[name]; f != nil {
			return f(n, x), nil
		}
	}
	clones := make([]gorgonia.Value, len(in))
	for i, v := range in { // Do may transpose its inputs in place
		if clones[i], err = gorgonia.CloneValue(v); err != nil {
			return y, err
		}
	}
	v, err := n.Op().Do(clones...)
	if err != nil {
		return y, err
	}
	return arrayOf(c.t, v), nil
}

// dropout checks a dropout by its definition, which leaves open what is dropped: the result is 0 or x/(1−p), and the gradient
// is dropped where the result was.
func (c *checker) dropout(n *gorgonia.Node, in []gorgonia.Value, have array) {
	c.t.Helper()
	rate := attrsOf(n.Op()).float("probability")
	if c.evaluating {
		rate = 0
	}
	x := arrayOf(c.t, in[len(in)-1])
	want := zeros(x.shape)
	for i, v := range x.x {
		kept := have.x[i] != 0
		if len(in) == 3 {
			if first := arrayOf(c.t, in[0]); first.x[i] != 0 { // of 0 nothing can be told
				kept = arrayOf(c.t, in[1]).x[i] != 0
			}
		}
		if kept {
			want.x[i] = v / (1 - rate)
		}
	}
	numtest.AssertClose(c.t, want.x, have.x, numtest.Tol(n.Dtype(), numtest.Elementwise), describe(n))
}

// nudged moves every number by up to 64 units in the last place.
func (c *checker) nudged(in []gorgonia.Value) []gorgonia.Value {
	out := make([]gorgonia.Value, len(in))
	for i, v := range in {
		out[i] = nudge(c.t, c.rng, v, 64)
	}
	return out
}

func nudge(t testing.TB, rng *rand.Rand, v gorgonia.Value, units float64) gorgonia.Value {
	clone, err := gorgonia.CloneValue(v)
	require.NoError(t, err)
	by := func(dt tensor.Dtype) float64 { return 1 + units*ulp(dt)*(2*rng.Float64()-1) }
	switch d := clone.(type) {
	case *gorgonia.F64:
		*d *= gorgonia.F64(by(tensor.Float64))
	case *gorgonia.F32:
		*d *= gorgonia.F32(by(tensor.Float32))
	case *tensor.Dense:
		switch x := d.Data().(type) {
		case []float64:
			for i := range x {
				x[i] *= by(tensor.Float64)
			}
		case []float32:
			for i := range x {
				x[i] *= float32(by(tensor.Float32))
			}
		}
	}
	return clone
}

// ulp is the distance from 1 to the next number.
func ulp(dt tensor.Dtype) float64 {
	if dt == tensor.Float32 {
		return 0x1p-23
	}
	return 0x1p-52
}

func largest(x []float64) float64 { return farthest(x, make([]float64, len(x))) }

// farthest is the largest finite difference of two results.
func farthest(a, b []float64) (d float64) {
	for i := range a {
		if e := math.Abs(a[i] - b[i]); e > d && !math.IsInf(e, 0) {
			d = e
		}
	}
	return d
}

// moves are operations that only move numbers: nothing may change.
var moves = []string{"reshapeOp", "transposeOp", "repeatOp", "sliceOp", "sliceIncrOp", "concatOp", "atOp", "byIndicesOp", "diagFlatOp",
	"maxOp", "maxPoolOp", "upsampleOp", "im2colOp", "dtConvOp", "Iop", "sizeOp", "minBetween", "maxBetween"}

// tolerance says how near a node's value must be, and whether the error that its inputs' last places make is allowed besides: not
// where it would hide a wrong decision of a function that jumps.
func tolerance(n *gorgonia.Node) (tol numtest.Tolerance, sensitive bool) {
	name := attrsOf(n.Op()).name()
	dt := n.Dtype()
	switch {
	case slices.Contains(moves, name), dt != tensor.Float32 && dt != tensor.Float64:
		return numtest.Tolerance{}, false
	case name == "elemUnaryOp":
		jumps := slices.Contains([]string{"sign", "ceil", "floor", "abs"}, n.Op().String())
		return numtest.Tol(dt, numtest.Elementwise), !jumps
	case name == "elemBinOp":
		jumps := attrsOf(n.Op()).v.Field(0).Elem().Field(0).Uint() > 4
		return numtest.Tol(dt, numtest.Elementwise), !jumps
	case name == "maxPoolDiffOp":
		return numtest.Tol(dt, numtest.Reduction), false
	}
	return numtest.Tol(dt, numtest.Reduction), true
}

func describe(n *gorgonia.Node) string {
	s := fmt.Sprintf("node %x, %v (%s) %v of", n.ID(), n.Op(), attrsOf(n.Op()).name(), n.Shape())
	for _, c := range op.Children(n) {
		s += fmt.Sprintf(" %x:%v", c.ID(), c.Shape())
	}
	return s
}
