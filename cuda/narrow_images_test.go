//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
)

// eager keeps everything as bfloat16 that its kernels can, and counts of every kind of step the operands and results that are.
type eager struct {
	*cuda.Engine
	narrow map[string]int
}

func (e *eager) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	in, out, _ = e.Engine.Narrows(s)
	return in, out, true
}

func (e *eager) Build(p *graph.Plan) (graph.Program, error) {
	e.narrow = map[string]int{}
	for _, s := range p.Steps {
		n := 0
		for _, v := range append(append([]*graph.Value{}, s.In...), s.Out...) {
			if v.Narrow {
				n++
			}
		}
		e.narrow[s.Instr.Kind()] = max(e.narrow[s.Instr.Kind()], n)
	}
	return e.Engine.Build(p)
}

// sides are where a graph under test is scaled, so that operands, results, or both lie in memory as bfloat16: what is bound from outside
// stays float32.
type sides struct {
	b       *enginetest.B
	in, out bool
	coarse  bool // numbers are few, so that maxima are equal
}

// input is an input of numbers that bfloat16 holds.
func (s sides) input(name string, dims ...int) *gorgonia.Node {
	data := make([]float32, op.Len(dims))
	numtest.FillUniform(name, 1, 2, data)
	for i, x := range data {
		if s.coarse {
			data[i] = float32(math.Round(float64(x)*2)) / 2
		} else {
			data[i] = math.Float32frombits((math.Float32bits(x) + 1<<15) &^ (1<<16 - 1))
		}
	}
	x := s.b.Filled(name, data, dims...)
	if s.in {
		return s.b.Apply(&op.Scale{Factor: 2}, x)
	}
	return x
}

func (s sides) want(y *gorgonia.Node) {
	if s.out {
		y = s.b.Apply(&op.Scale{Factor: 0.5}, y)
	}
	s.b.Want("y", numtest.Reduction, y)
}

// narrowCase is a step of a kind, of whose operands and results some may be narrow.
type narrowCase struct {
	kind    string
	in, out int // how many of them may
	build   func(s sides)
}

func narrowPools() []narrowCase {
	var all []narrowCase
	explicit := shape.Padding{Mode: shape.Explicit, Top: 2, Left: 1, Right: 3}
	for _, c := range []struct {
		dims          tensor.Shape
		pool, strides [2]int
		padding       shape.Padding
	}{
		{tensor.Shape{2, 8, 9, 16}, [2]int{3, 3}, [2]int{2, 2}, shape.Padding{Mode: shape.Same}},
		{tensor.Shape{1, 8, 8, 8}, [2]int{2, 2}, [2]int{2, 2}, shape.Padding{}},
		{tensor.Shape{1, 9, 10, 8}, [2]int{4, 2}, [2]int{2, 1}, shape.Padding{Mode: shape.Explicit, Top: 2, Bottom: 3, Left: 1}},
		{tensor.Shape{1, 9, 6, 3}, [2]int{3, 1}, [2]int{3, 1}, shape.Padding{}},
		{tensor.Shape{2, 7, 5, 12}, [2]int{3, 3}, [2]int{1, 1}, shape.Padding{Mode: shape.Same}},
		{tensor.Shape{2, 6, 6, 5}, [2]int{4, 4}, [2]int{2, 3}, explicit},
		{tensor.Shape{1, 11, 12, 2}, [2]int{5, 6}, [2]int{4, 4}, shape.Padding{Mode: shape.Same}}, // blocks of a pixel
		{tensor.Shape{1, 9, 9, 16}, [2]int{2, 1}, [2]int{3, 3}, shape.Padding{}},                  // pixels under no window
	} {
		for _, f := range []shape.Layout{shape.NHWC, shape.NCHW} {
			x := c.dims
			if f == shape.NCHW {
				x = tensor.Shape{x[0], x[3], x[1], x[2]}
			}
			a := op.PoolAttrs{Pool: c.pool, Strides: c.strides, Padding: c.padding, Format: f}
			all = append(all,
				narrowCase{"MaxPool2D", 1, 1, func(s sides) { s.want(s.b.Apply(&op.MaxPool2D{PoolAttrs: a}, s.input("x", x...))) }},
				narrowCase{"MaxPool2DGrad", 3, 1, func(s sides) {
					s.coarse = true
					in := s.input("x", x...)
					y := s.b.Apply(&op.MaxPool2D{PoolAttrs: a}, in)
					s.want(s.b.Apply(&op.MaxPool2DGrad{PoolAttrs: a}, in, y, s.input("dy", y.Shape()...)))
				}},
				narrowCase{"AvgPool2D", 1, 1, func(s sides) { s.want(s.b.Apply(&op.AvgPool2D{PoolAttrs: a}, s.input("x", x...))) }},
				narrowCase{"AvgPool2DGrad", 1, 1, func(s sides) {
					g, err := a.Geometry(x)
					require.NoError(s.b.T, err)
					s.want(s.b.Apply(&op.AvgPool2DGrad{PoolAttrs: a, InputShape: x}, s.input("dy", g.Output()...)))
				}})
		}
	}
	return all
}

// narrowMaxima are gradients of max poolings by threads that go down several windows, and of the elements of which maxima are the first,
// though others are as large.
func narrowMaxima() []narrowCase {
	a := op.PoolAttrs{Pool: [2]int{3, 3}, Strides: [2]int{2, 2}, Padding: shape.Padding{Mode: shape.Same}}
	grad := func(fill func(s sides, dims tensor.Shape) *gorgonia.Node, dims ...int) narrowCase {
		return narrowCase{"MaxPool2DGrad", 3, 1, func(s sides) {
			in := fill(s, dims)
			y := s.b.Apply(&op.MaxPool2D{PoolAttrs: a}, in)
			s.want(s.b.Apply(&op.MaxPool2DGrad{PoolAttrs: a}, in, y, s.input("dy", y.Shape()...)))
		}}
	}
	nan, low, high := float32(math.NaN()), float32(math.Inf(-1)), float32(math.Inf(1))
	other, zero := math.Float32frombits(0xffc10000), float32(math.Copysign(0, -1)) // a NaN of another sign, −0
	palettes := [][]float32{{low}, {zero, 0}, {nan, other, high}, {nan, low, zero, 0, 1, high, -0x1p-130, 0x1p-130, -1, other}, {low, -1, zero, 0}}
	return []narrowCase{
		grad(func(s sides, dims tensor.Shape) *gorgonia.Node {
			s.coarse = true
			return s.input("x", dims...)
		}, 4, 9, 34, 256),
		grad(func(s sides, dims tensor.Shape) *gorgonia.Node {
			data, state := make([]float32, op.Len(dims)), uint32(1)
			for i := range data {
				state = state*1664525 + 1013904223
				palette := palettes[i/(len(data)/dims[0])%len(palettes)]
				data[i] = palette[int(state>>16)%len(palette)]
			}
			x := s.b.Filled("x", data, dims...)
			if s.in {
				return s.b.Apply(&op.Scale{Factor: 2}, x)
			}
			return x
		}, 5, 11, 10, 8),
	}
}

func narrowColumns() []narrowCase {
	var all []narrowCase
	for _, x := range []tensor.Shape{{2, 3, 5, 16}, {1, 1, 1, 24}, {3, 40, 20, 40}, {1, 30, 30, 5}, {2, 100, 100, 8}, {70, 3, 3, 264}} {
		all = append(all,
			narrowCase{"GlobalAvgPool2D", 1, 1, func(s sides) { s.want(s.b.Apply(&op.GlobalAvgPool2D{}, s.input("x", x...))) }},
			narrowCase{"GlobalAvgPool2DGrad", 1, 1, func(s sides) {
				y, err := (&op.GlobalAvgPool2D{}).Infer([]tensor.Shape{x})
				require.NoError(s.b.T, err)
				s.want(s.b.Apply(&op.GlobalAvgPool2DGrad{InputShape: x}, s.input("dy", y...)))
			}},
			narrowCase{"BiasGrad", 1, 0, func(s sides) { s.want(s.b.Apply(&op.BiasGrad{Axis: -1}, s.input("dy", x...))) }})
	}
	return all
}

func narrowElements() []narrowCase {
	var all []narrowCase
	for _, x := range []tensor.Shape{{2, 3, 5, 16}, {1, 7, 3, 5}, {3, 4}, {1}} {
		two := func(kind string, o op.Op) narrowCase {
			return narrowCase{kind, 2, 1, func(s sides) { s.want(s.b.Apply(o, s.input("x", x...), s.input("z", x...))) }}
		}
		all = append(all, two("Add", &op.Add{}), two("Mul", &op.Mul{}), two("ReLUGrad", &op.ReLUGrad{}),
			narrowCase{"ReLU", 1, 1, func(s sides) { s.want(s.b.Apply(&op.ReLU{}, s.input("x", x...))) }},
			narrowCase{"Unary", 1, 1, func(s sides) { s.want(s.b.Apply(&op.Unary{Fn: op.FnExp}, s.input("x", x...))) }},
			narrowCase{"Dropout", 1, 1, func(s sides) {
				s.want(s.b.Apply(&op.Dropout{Rate: 0.3, Seed: 7}, s.input("x", x...), s.b.Int("step", 3)))
			}})
	}
	return all
}

func narrowMoves() []narrowCase {
	one := func(kind string, o op.Op, dims ...int) narrowCase {
		return narrowCase{kind, 1, 1, func(s sides) { s.want(s.b.Apply(o, s.input("x", dims...))) }}
	}
	join := func(axis int, dims ...tensor.Shape) narrowCase {
		return narrowCase{"Concat", len(dims), 1, func(s sides) {
			var in []*gorgonia.Node
			for i, d := range dims {
				in = append(in, s.input(fmt.Sprint("x", i), d...))
			}
			s.want(s.b.Apply(&op.Concat{Axis: axis}, in...))
		}}
	}
	images := func(dims ...int) narrowCase {
		return narrowCase{"Augment", 0, 1, func(s sides) {
			draws := make([]int, 3*dims[0])
			draws[0], draws[2] = 1, 1
			s.want(s.b.Apply(&op.Augment{Padding: 1, To: s.b.Dt}, s.b.Bytes("images", dims...), s.b.Ints("draws", draws, dims[0], 3)))
		}}
	}
	return []narrowCase{
		join(-1, tensor.Shape{2, 3, 8}, tensor.Shape{2, 3, 16}), join(-1, tensor.Shape{2, 3, 5}, tensor.Shape{2, 3, 4}, tensor.Shape{2, 3, 8}),
		join(0, tensor.Shape{2, 3}, tensor.Shape{1, 3}),
		one("Slice", &op.Slice{Starts: []int{0, 0, 8}, Stops: []int{2, 3, 24}}, 2, 3, 32),
		one("Slice", &op.Slice{Starts: []int{0, 0, 1}, Stops: []int{2, 3, 9}}, 2, 3, 16),
		one("Slice", &op.Slice{Starts: []int{0, 1, 0}, Stops: []int{2, 3, 5}}, 2, 3, 5),
		one("ZeroPad2D", &op.ZeroPad2D{Top: 3, Left: 1, Right: 2}, 2, 5, 3, 8), one("ZeroPad2D", &op.ZeroPad2D{Bottom: 1, Left: 1}, 1, 5, 3, 3),
		one("Crop2D", &op.Crop2D{Top: 1, Right: 2}, 2, 5, 4, 16), one("Crop2D", &op.Crop2D{Left: 1}, 2, 5, 4, 1),
		images(2, 6, 8, 3), images(1, 4, 4, 1),
	}
}

// Every kernel of images reads and writes bfloat16, and computes what it does on float32: what it reads is the same in both, and what it
// writes is rounded.
func TestNarrowImages(t *testing.T) {
	config := cuda.Config{Precision: "bf16"}
	e := &eager{Engine: open(t, config)}
	rounded := func(k numtest.Kind) numtest.Tolerance {
		tol := numtest.Tol(tensor.Float32, k)
		tol.Rel += 0x1p-8
		return tol
	}
	for _, cases := range [][]narrowCase{narrowPools(), narrowMaxima(), narrowColumns(), narrowElements(), narrowMoves()} {
		for i, c := range cases {
			for k, s := range []sides{{in: true, out: true}, {in: true}, {out: true}} {
				if testing.Short() && k != i%3 {
					continue
				}
				want := 0
				if s.in {
					want += c.in
				}
				if s.out {
					want += c.out
				}
				if c.kind == "MaxPool2DGrad" && !s.in { // the result of the pooling, which is not scaled
					want++
				}
				name := fmt.Sprintf("%s %d, narrow operands %v, results %v", c.kind, i, s.in, s.out)
				enginetest.Case{Name: name, Build: func(b *enginetest.B) {
					s.b = b
					c.build(s)
				}}.RequireCloseTo(t, e, rounded, tensor.Float32, graph.WithoutPasses())
				require.Equal(t, want, e.narrow[c.kind], name)
			}
		}
	}
}

// What has no kernel, such as images of more channels than the text of one has room for, runs on the host, which takes and leaves
// bfloat16 where it lies so in memory.
func TestTheHostKnowsWhatIsBFloat16(t *testing.T) {
	const n, side, channels = 3, 6, 40
	c := enginetest.Case{Name: "augment 40 channels", Build: func(b *enginetest.B) {
		images, draws := make([]byte, n*side*side*channels), make([]int, 3*n)
		for i := range images {
			images[i] = byte(i * 37 % 251)
		}
		x := gorgonia.NewTensor(b.G, tensor.Uint8, 4, gorgonia.WithName("images"), gorgonia.WithShape(n, side, side, channels),
			gorgonia.WithValue(tensor.New(tensor.WithShape(n, side, side, channels), tensor.WithBacking(images))))
		d := gorgonia.NewMatrix(b.G, tensor.Int, gorgonia.WithName("draws"), gorgonia.WithShape(n, 3),
			gorgonia.WithValue(tensor.New(tensor.WithShape(n, 3), tensor.WithBacking(draws))))
		y := b.Apply(&op.Conv2D{}, b.Apply(&op.Augment{To: b.Dt}, x, d), b.Input("w", 3, 3, channels, 8))
		b.Want("y", numtest.Reduction, y)
	}}
	e := open(t, cuda.Config{Precision: "bf16"})
	b := enginetest.NewB(t, tensor.Float32)
	c.Build(b)
	p, err := graph.PlanFor(b.G, b.Options(e)...)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(p.Steps, func(s *graph.Step) bool { return s.Instr.Kind() == "Augment" && s.Out[0].Narrow }))
	c.RequireCloseTo(t, e, func(numtest.Kind) numtest.Tolerance { return numtest.Tolerance{Norm: 0.03} }, tensor.Float32)
}
