package graph_test

import (
	"fmt"
	"io"
	"log"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
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
