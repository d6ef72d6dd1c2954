//go:build gpu && cgo && linux

package cuda_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/internal/shape"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

const transposedEnv = "STHENO_CUDA_TRANSPOSED_GRADIENTS"

// oddNet has filters of one channel and of many, of one filter and of 33, of 1×1, 5×3 and 1×1 with strides, in groups, and with penalties.
func oddNet(t *testing.T, format nn.DataFormat, l2 bool) *nn.Model {
	b := nn.NewBuilder("odd")
	b.DataFormat = format
	input := nn.Shape{7, 6, 3}
	if format == nn.ChannelsFirst {
		input = nn.Shape{3, 7, 6}
	}
	x := b.Input(input)
	y := x
	for i, c := range []nn.Conv2D{
		{Filters: 8, Kernel: nn.K(3)},
		{Filters: 33, Kernel: [2]int{5, 3}},
		{Filters: 24, Kernel: nn.K(1)},
		{Filters: 40, Kernel: nn.K(3), Groups: 4},
		{Filters: 17, Kernel: nn.K(1), Strides: [2]int{2, 2}},
		{Filters: 1, Kernel: [2]int{1, 3}},
		{Filters: 32, Kernel: nn.K(3)},
		{Filters: 96, Kernel: nn.K(3)},
		{Filters: 16, Kernel: nn.K(2)},
	} {
		c.Padding, c.Activation = nn.Same, nn.ELU
		if l2 && i%2 == 0 {
			c.KernelRegularizer = nn.L2(0.01)
		}
		y = b.Add(c, y)
	}
	y = b.Add(nn.Dense{Units: 10, Activation: nn.Softmax}, b.Add(nn.Flatten{}, y))
	m, err := b.Model(x, y)
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	return m
}

// Training with gradients of filters that stay as cuDNN writes them gives the bits of training with those brought into Keras's order.
func TestTransposedGradientsAreTheSameBits(t *testing.T) {
	images, labels := make([]float32, 3*7*6*3), []int{1, 4, 7}
	numtest.FillUnit("images", 1, images)
	type way struct{ transposed, graphs, beside string }
	for _, o := range []struct {
		name      string
		opt       train.Optimizer
		precision string
		format    nn.DataFormat
		l2        bool
		gradients int // that stay in cuDNN's order: not of products, and not of few channels, which get further ones but in float32
	}{
		{"momentum", train.SGD{Momentum: 0.9}, "bf16", nn.ChannelsLast, false, 6},
		{"momentum", train.SGD{Momentum: 0.9}, "tf32", nn.ChannelsLast, true, 6},
		{"nesterov", train.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.01}, "fp32", nn.ChannelsLast, false, 8},
		{"nesterov", train.SGD{Momentum: 0.9, Nesterov: true}, "bf16", nn.ChannelsFirst, true, 6},
		{"adam", train.Adam{}, "bf16", nn.ChannelsLast, true, 6},
		{"adam", train.Adam{}, "fp32", nn.ChannelsFirst, false, 8},
		{"adamw", train.AdamW{}, "tf32", nn.ChannelsLast, false, 6},
	} {
		name := fmt.Sprintf("%s, %s, %v, penalties %t", o.name, o.precision, o.format, o.l2)
		run := func(w way) (all []float32) {
			t.Setenv(transposedEnv, w.transposed)
			t.Setenv("STHENO_CUDA_GRAPH", w.graphs)
			t.Setenv("STHENO_CUDA_BESIDE", w.beside)
			e, m := inGroups{open(t, cuda.Config{Precision: o.precision})}, oddNet(t, o.format, o.l2)
			s, err := train.NewTrainStep(e, m, o.opt, train.NewSlots(m, o.opt), 3, 1)
			require.NoError(t, err)
			gradients := 0
			for _, step := range s.Plan().Steps {
				for _, v := range step.Out {
					if v.Transposed {
						require.Equal(t, "Conv2DBackwardFilter", step.Instr.Kind())
						require.Equal(t, o.precision == "bf16", v.Narrow, name)
						gradients++
					}
				}
			}
			if w.transposed == "0" {
				require.Zero(t, gradients)
			} else {
				require.Equal(t, o.gradients, gradients, name)
			}
			for i := range 4 {
				r, err := s.Run(images, labels, 0.05, i)
				require.NoError(t, err)
				require.NotZero(t, r.Loss)
				all = append(all, float32(r.Loss))
			}
			require.NoError(t, s.Close())
			for _, w := range m.Weights() {
				all = append(all, w.Value.Data().([]float32)...)
			}
			return all
		}
		want := run(way{"0", "0", "0"})
		for _, x := range want {
			require.False(t, math.IsNaN(float64(x)), name)
		}
		for _, w := range []way{{"", "0", "0"}, {"", "1", ""}, {"", "1", "gradients"}} {
			requireSameNumbers(t, want, run(w), fmt.Sprintf("%s, %v", name, w))
		}
	}
}

// seen keeps a step's result.
type seen struct {
	step int
	data []float32
}

func (*seen) Before(int) {}
func (s *seen) After(i int, out []op.Array) error {
	if i == s.step {
		s.data = append([]float32{}, out[0].Data.([]float32)...)
	}
	return nil
}

// gradientPlan is the gradient of a filter, kept in one way or another, and the update that reads it.
func gradientPlan(grad *op.Conv2DBackwardFilter, update graph.Instr, x, y tensor.Shape, transposed, narrow bool) (p *graph.Plan, data map[*graph.Value]op.Array) {
	p, data = &graph.Plan{}, map[*graph.Value]op.Array{}
	value := func(s tensor.Shape, dt tensor.Dtype) *graph.Value {
		v := &graph.Value{ID: len(p.Values), Name: fmt.Sprint("v", len(p.Values)), Shape: s, Dtype: dt, Where: graph.External}
		p.Values = append(p.Values, v)
		return v
	}
	input := func(s tensor.Shape, limit float64) *graph.Value {
		v := value(s, tensor.Float32)
		v.Input, p.Inputs = true, append(p.Inputs, v)
		n := make([]float32, op.Len(s))
		numtest.FillUniform(v.Name, 1, limit, n)
		for i, x := range n { // what bfloat16 holds, above 0 where it is a second moment
			n[i] = math.Float32frombits(math.Float32bits(x) &^ (1<<16 - 1))
			if v.ID == 4 {
				n[i] = max(n[i], -n[i])
			}
		}
		data[v] = op.Array{Shape: s, Data: n}
		return v
	}
	f := tensor.Shape(grad.FilterShape)
	first := &graph.Step{Instr: grad, In: []*graph.Value{input(x, 1), input(y, 1)}}
	second := &graph.Step{Instr: update, In: []*graph.Value{input(f, 1), input(f, 1)}}
	adam := false
	switch u := update.(type) {
	case *graph.AdamUpdate:
		adam = true
	case *graph.FusedUpdate:
		_, adam = u.Update.(*graph.AdamUpdate)
	}
	if adam {
		second.In = append(second.In, input(f, 1))
	}
	state := len(second.In)
	g := value(f, tensor.Float32)
	g.Where, g.Transposed, g.Narrow = graph.Arena, transposed, narrow
	p.ArenaBytes = g.StoredBytes()
	first.Out, second.In = []*graph.Value{g}, append(second.In, g, input(nil, 0.1))
	if adam {
		t := value(nil, tensor.Int)
		t.Input, p.Inputs = true, append(p.Inputs, t)
		data[t] = op.Array{Data: []int{3}}
		second.In = append(second.In, t)
	}
	if _, fused := update.(*graph.FusedUpdate); fused {
		second.In = append(second.In, input(nil, 1))
	}
	for range state {
		v := value(f, tensor.Float32)
		v.Output, p.Outputs = true, append(p.Outputs, v)
		data[v] = op.Array{Shape: f, Data: make([]float32, op.Len(f))}
		second.Out = append(second.Out, v)
	}
	p.Steps = []*graph.Step{first, second}
	return p, data
}

// Every way to compute the gradient of a filter, the libraries' and our own, leaves it filters first where it is kept so, and the update reads
// what it would read in Keras's order; an observer sees it in that order.
func TestTransposedGradientOfEveryWay(t *testing.T) {
	same := shape.Padding{Mode: shape.Same}
	updates := []graph.Instr{
		&graph.MomentumUpdate{Momentum: 0.9, WeightDecay: 0.01}, &graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7},
		&graph.FusedUpdate{Update: &graph.MomentumUpdate{Momentum: 0.9, Nesterov: true}, L2: 0.1},
		&graph.FusedUpdate{Update: &graph.AdamUpdate{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7}, L2: 0.1},
	}
	type conv struct {
		a    op.ConvAttrs
		x, w tensor.Shape
	}
	convs := []conv{
		{op.ConvAttrs{Padding: same}, tensor.Shape{2, 5, 4, 8}, tensor.Shape{3, 3, 8, 32}},
		{op.ConvAttrs{Padding: same}, tensor.Shape{2, 5, 4, 16}, tensor.Shape{3, 3, 16, 64}},
		{op.ConvAttrs{Padding: same}, tensor.Shape{1, 5, 4, 7}, tensor.Shape{5, 3, 7, 33}},
		{op.ConvAttrs{Padding: same}, tensor.Shape{1, 5, 4, 9}, tensor.Shape{5, 3, 9, 1}},
		{op.ConvAttrs{Padding: same, Groups: 3}, tensor.Shape{1, 5, 4, 9}, tensor.Shape{3, 3, 3, 6}},
		{op.ConvAttrs{Padding: same, Groups: 40}, tensor.Shape{1, 5, 4, 40}, tensor.Shape{3, 3, 1, 40}},
		{op.ConvAttrs{}, tensor.Shape{2, 5, 4, 70}, tensor.Shape{1, 1, 70, 36}}, // a product
		{op.ConvAttrs{Strides: [2]int{2, 2}}, tensor.Shape{2, 5, 4, 72}, tensor.Shape{1, 1, 72, 36}},
		{op.ConvAttrs{Padding: same}, tensor.Shape{2, 5, 4, 3}, tensor.Shape{3, 3, 3, 16}},   // few channels
		{op.ConvAttrs{Padding: same}, tensor.Shape{3, 2, 2, 16}, tensor.Shape{3, 3, 16, 24}}, // tiny images
		{op.ConvAttrs{Padding: same}, tensor.Shape{3, 2, 2, 9}, tensor.Shape{3, 3, 9, 7}},
		{op.ConvAttrs{Padding: same}, tensor.Shape{5, 1, 1, 16}, tensor.Shape{3, 3, 16, 24}}, // idle taps
		{op.ConvAttrs{Padding: same}, tensor.Shape{5, 1, 3, 16}, tensor.Shape{5, 3, 16, 24}},
		{op.ConvAttrs{Padding: same, Format: shape.NCHW}, tensor.Shape{2, 6, 5, 4}, tensor.Shape{3, 3, 6, 10}},
	}
	folded := 0
	for name, libs := range without {
		for precision, kept := range map[string][]bool{"fp32": {false}, "tf32": {false}, "bf16": {false, true}} {
			e := open(t, cuda.Config{Without: libs, Precision: precision})
			for i, c := range convs {
				g, err := c.a.Geometry(c.x, c.w)
				require.NoError(t, err)
				grad := &op.Conv2DBackwardFilter{ConvAttrs: c.a, FilterShape: []int(c.w)}
				for _, way := range []string{"", "cuDNN", "tiny images as a product", "tiny images as a rounded product"} {
					cuda.Force(t, way)
					what := fmt.Sprintf("%v of %v, %s, %s, way %q", grad, c.x, name, precision, way)
					run := func(transposed, narrow bool) gradientRun {
						p, data := gradientPlan(grad, updates[i%len(updates)], c.x, g.Output(), transposed, narrow)
						return runGradient(t, e, p, data)
					}
					want := run(false, false)
					require.NotContains(t, want.kernels, "transposed")
					for _, narrow := range kept {
						got := run(true, narrow)
						require.Contains(t, got.kernels, "_update_transposed", what)
						gradient, exact := want.gradient, true
						if strings.Contains(got.kernels, "fold_taps") { // a product in another order, of which the last bits may be others
							require.Contains(t, got.kernels, "fold_taps_transposed", what)
							tol := numtest.Tolerance{Norm: 1e-5}
							if narrow || strings.HasSuffix(way, "rounded product") {
								tol.Norm = 0.01 // bfloat16 has 8 bits
							}
							numtest.AssertClose(t, gradient, got.gradient, tol, what)
							gradient, exact = got.gradient, false
							folded++
						} else if narrow && !strings.Contains(want.kernels, "unpack") { // our kernels have not rounded it
							gradient, exact = rounded(gradient), false
						}
						how := fmt.Sprintf("%s, narrow %t: %s", what, narrow, got.kernels)
						requireSameNumbers(t, gradient, got.gradient, how)
						for k := range want.results {
							if exact {
								requireSameNumbers(t, want.results[k], got.results[k], how)
							} else {
								numtest.AssertClose(t, want.results[k], got.results[k], numtest.Tolerance{Norm: 0.01}, what)
							}
						}
					}
				}
			}
		}
	}
	require.Greater(t, folded, 10)
}

// gradientRun is what a gradientPlan computes.
type gradientRun struct {
	gradient []float32 // as an observer sees it
	results  [][]float32
	kernels  string
}

func runGradient(t *testing.T, e *cuda.Engine, p *graph.Plan, data map[*graph.Value]op.Array) (r gradientRun) {
	prog, err := e.Build(p)
	require.NoError(t, err)
	defer func() { require.NoError(t, prog.Close()) }()
	buffers := map[*graph.Value]graph.Buffer{}
	for v, a := range data {
		buffers[v], err = e.Wrap(a)
		require.NoError(t, err)
		require.NoError(t, buffers[v].Upload(a))
		require.NoError(t, prog.Bind(v, buffers[v]))
	}
	o := &seen{}
	require.NoError(t, prog.(graph.Observable).RunObserved(o))
	for _, v := range p.Outputs {
		require.NoError(t, buffers[v].Download(data[v]))
		r.results = append(r.results, data[v].Data.([]float32))
	}
	for _, b := range buffers {
		require.NoError(t, b.Close())
	}
	r.gradient, r.kernels = o.data, strings.Join(prog.(graph.KernelTeller).Kernels(), "; ")
	return r
}

// rounded are numbers as bfloat16 holds them, to the nearest, of two the even one.
func rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		bits := math.Float32bits(v)
		y[i] = math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ (1<<16 - 1))
	}
	return y
}
