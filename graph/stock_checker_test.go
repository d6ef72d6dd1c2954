package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
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
