package cpu_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
	"github.com/stheno-ml/stheno/internal/numtest"
	"github.com/stheno-ml/stheno/nn"
)

// spied is an engine that keeps what it built.
type spied struct {
	*cpu.Engine
	plan *graph.Plan
	prog graph.Program
}

func (s *spied) Build(p *graph.Plan) (graph.Program, error) {
	prog, err := s.Engine.Build(p)
	s.plan, s.prog = p, prog
	return prog, err
}

// small makes a network whose images outweigh its weights.
func small(t *testing.T, name string, size int) *nn.Model {
	t.Helper()
	a, err := arch.ByName(name, arch.Config{Classes: 10, Input: nn.Shape{size, size, 3}})
	require.NoError(t, err)
	m, err := a.Model()
	require.NoError(t, err)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	statistics(m)
	return m
}

// Networks whose steps are run image by image compute what they do step by step, to rounding, the same bits with any number of threads,
// in every run, after new weights, and without an allocation.
func TestNetsImageByImage(t *testing.T) {
	names := []string{"mobilenetv2", "mobilenetv3-small", "densenet121", "resnet18"}
	switch {
	case numtest.Race: // what workers share is the same in all
		names = names[:1]
	case testing.Short():
		names = names[:2]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			const batch, size = 4, 64
			m := small(t, name, size)
			run := func(threads int) []float64 {
				e := &spied{Engine: open(t, threads)}
				machine, y := inference(t, e, m, size, batch, tensor.Float32)
				defer func() { require.NoError(t, machine.Close()) }()
				require.NoError(t, machine.RunAll())
				v, err := machine.Value(y)
				require.NoError(t, err)
				first := numbers(v)
				require.NoError(t, machine.RunAll())
				require.Equal(t, first, numbers(v), "the same in every run")
				if !numtest.Race {
					require.Zero(t, testing.AllocsPerRun(3, func() {
						if err := machine.RunAll(); err != nil {
							t.Fatal(err)
						}
					}))
				}
				return first
			}
			want := run(2)
			cpu.SliceFrom(t, -1)
			e := &spied{Engine: open(t, 1)}
			machine, _ := inference(t, e, m, size, batch, tensor.Float32)
			from, to, images := cpu.Stretch(e.plan)
			require.NoError(t, machine.Close())
			require.Greater(t, to, from+5, "a stretch of the plan")
			require.Equal(t, batch, images)
			got := run(1)
			for i := range want {
				require.InDelta(t, want[i], got[i], 1e-5)
			}
			counts := []int{2, 3, 5}
			if numtest.Race {
				counts = counts[1:2]
			}
			for _, threads := range counts { // 4 images: two each; one each and one for all; all for all
				require.Equal(t, got, run(threads), "with %d threads", threads)
			}
		})
	}
}

// New weights are seen from the next run on, in the kernels of all workers.
func TestNewWeightsImageByImage(t *testing.T) {
	cpu.SliceFrom(t, -1)
	m := small(t, "mobilenetv2", 64)
	machine, y := inference(t, open(t, 2), m, 64, 5, tensor.Float32)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	require.NoError(t, m.Initialize(2, tensor.Float32))
	statistics(m)
	require.NoError(t, machine.Refresh())
	require.NoError(t, machine.RunAll())
	v, err := machine.Value(y)
	require.NoError(t, err)
	fresh, z := inference(t, open(t, 2), m, 64, 5, tensor.Float32)
	defer func() { require.NoError(t, fresh.Close()) }()
	require.NoError(t, fresh.RunAll())
	w, err := fresh.Value(z)
	require.NoError(t, err)
	require.Equal(t, numbers(w), numbers(v))
}

// Images are seen one by one: what one has in it, be it no number, does not show in the others' results.
func TestImagesAreApart(t *testing.T) {
	cpu.SliceFrom(t, -1)
	const batch, size = 6, 64
	m := small(t, "mobilenetv2", size)
	g := gorgonia.NewGraph()
	images := numtest.Uniform(1, tensor.Float32, 0, 1, batch, size, size, 3)
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, size, size, 3), gorgonia.WithName("image"), gorgonia.WithValue(images))
	net, err := m.Build(g, nn.BuildConfig{Batch: batch, Input: x, Dtype: tensor.Float32})
	require.NoError(t, err)
	machine, err := graph.Compile(g, graph.WithEngine(open(t, 2)), graph.WithOutputs(net.Output), graph.WithResident(net.Nodes()...))
	require.NoError(t, err)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	v, err := machine.Value(net.Output)
	require.NoError(t, err)
	before := numbers(v)
	pixels := images.Float32s()
	for i := range size * size * 3 {
		pixels[4*size*size*3+i] = float32(math.NaN())
	}
	require.NoError(t, machine.RunAll())
	after := numbers(v)
	for i := range batch {
		if row := after[i*10 : (i+1)*10]; i == 4 {
			require.True(t, math.IsNaN(row[0]), "image 4 is no number")
		} else {
			require.Equal(t, before[i*10:(i+1)*10], row, "image %d", i)
		}
	}
}

// Profiles have times of the steps that are run image by image; whoever looks at results sees those of all images.
func TestObservedImageByImage(t *testing.T) {
	cpu.SliceFrom(t, -1)
	e := &spied{Engine: open(t, 2)}
	machine, y := inference(t, e, small(t, "mobilenetv2", 64), 64, 5, tensor.Float32)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	v, err := machine.Value(y)
	require.NoError(t, err)
	want := numbers(v)

	require.NoError(t, machine.StartProfile())
	require.NoError(t, machine.RunAll())
	require.Equal(t, want, numbers(v))
	from, to, _ := cpu.Stretch(e.plan)
	p := machine.Profile()
	for _, s := range p.Steps[from:to] {
		require.Equal(t, 1, s.Runs, "step %d", s.Step)
		require.Positive(t, s.Min, "step %d", s.Step)
		require.NotEqual(t, "-", p.Plan.Steps[s.Step].Kernel)
	}
	machine.StopProfile()

	r := &recorder{fails: -1}
	require.NoError(t, e.prog.(graph.Observable).RunObserved(r))
	require.Equal(t, len(e.plan.Steps), r.begun[len(r.begun)-1]+1)
	last := r.values[len(r.values)-1]
	for i, x := range last {
		require.InDelta(t, want[i], float64(x), 1e-6)
	}
}

// A stretch ends where weights outweigh images, and there is none in training, of one image, nor of small ones.
func TestStretches(t *testing.T) {
	plan := func(name string, size, batch int) *graph.Plan {
		e := &spied{Engine: open(t, 1)}
		machine, _ := inference(t, e, small(t, name, size), size, batch, tensor.Float32)
		require.NoError(t, machine.Close())
		return e.plan
	}
	p := plan("mobilenetv2", 224, 4)
	from, to, images := cpu.Stretch(p)
	require.Equal(t, 4, images)
	require.Equal(t, tensor.Shape{4, 224, 224, 3}, p.Steps[from].In[0].Shape, "it begins at the images")
	require.Less(t, to, len(p.Steps)-5, "the last blocks are computed for all images together")
	for _, small := range []*graph.Plan{plan("mobilenetv2", 224, 1), plan("mobilenetv2", 32, 8)} {
		_, to, _ = cpu.Stretch(small)
		require.Zero(t, to)
	}
}

// Memory is less than the plan's: images that are computed one after the other share theirs.
func TestMemoryImageByImage(t *testing.T) {
	e := &spied{Engine: open(t, 2)}
	machine, _ := inference(t, e, small(t, "mobilenetv2", 224), 224, 8, tensor.Float32)
	defer func() { require.NoError(t, machine.Close()) }()
	require.Less(t, cpu.Held(e.prog), e.plan.ArenaBytes)
}

// Filters that are made once and that kernels keep have memory until those have them, and no longer.
func TestFiltersAreMadeInOnePlace(t *testing.T) {
	cpu.SliceFrom(t, -1)
	e := &spied{Engine: open(t, 1)}
	machine, _ := inference(t, e, small(t, "resnet18", 32), 32, 2, tensor.Float32)
	defer func() { require.NoError(t, machine.Close()) }()
	largest, all := 0, 0
	for _, s := range e.plan.Steps {
		if f, ok := s.Instr.(*graph.FoldNorm); ok {
			require.True(t, s.Once, f)
			largest, all = max(largest, s.Out[0].Bytes()), all+s.Out[0].Bytes()
		}
	}
	require.Greater(t, all, 4*largest)
	require.Less(t, cpu.Arena(e.prog), 2*largest)
}

// Random chains of what is sliced, with operands that are stretched, transposed and concatenated, are as they are step by step.
func TestOperationsImageByImage(t *testing.T) {
	for _, batch := range []int{2, 3, 7} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			build := func(e graph.Engine) []float64 {
				b := enginetest.NewB(t, tensor.Float32)
				x := b.Input("x", batch, 8, 8, 4)
				row, each := b.Input("row", 1, 1, 1, 4), b.Input("each", batch, 1, 1, 4)
				h := b.Apply(&op.Binary{Fn: op.FnMul}, x, each)
				h = b.Apply(&op.Binary{Fn: op.FnAdd}, h, row)
				h = b.Apply(&op.ReLU{}, h)
				h = b.Apply(&op.Permute{Axes: []int{0, 2, 1, 3}}, h)
				h = b.Apply(&op.Add{}, h, x)
				outputs := []*gorgonia.Node{b.Want("y", 0, b.Apply(&op.GlobalAvgPool2D{}, h)), b.Want("h", 0, h)}
				m := b.Compile(e)
				defer func() { require.NoError(t, m.Close()) }()
				require.NoError(t, m.RunAll())
				require.NoError(t, m.RunAll())
				var all []float64
				for _, n := range outputs {
					v, err := m.Value(n)
					require.NoError(t, err)
					all = append(all, numbers(v)...)
				}
				return all
			}
			want := build(open(t, 2))
			cpu.SliceFrom(t, -1)
			for _, threads := range []int{1, 2, 3} {
				require.Equal(t, want, build(open(t, threads)))
			}
		})
	}
}

// The cases of the conformance suite that can be are run image by image.
func TestConformanceImageByImage(t *testing.T) {
	if numtest.Race {
		t.Skip("the other tests here have the workers")
	}
	cpu.SliceFrom(t, -1)
	enginetest.Run(t, func(t *testing.T) graph.Engine { return open(t, 2) }, tensor.Float32)
}

// An error names the step that failed, not the first of those that are run image by image; the next run is as if nothing had been.
func TestFailuresImageByImage(t *testing.T) {
	cpu.SliceFrom(t, -1)
	e := &spied{Engine: open(t, 2)}
	machine, y := inference(t, e, small(t, "mobilenetv2", 32), 32, 5, tensor.Float32)
	defer func() { require.NoError(t, machine.Close()) }()
	require.NoError(t, machine.RunAll())
	v, err := machine.Value(y)
	require.NoError(t, err)
	want := numbers(v)
	from, to, _ := cpu.Stretch(e.plan)
	cause := errors.New("out of order")
	for _, left := range []bool{false, true} { // two images each, and one that is left
		for _, step := range []int{to - 1, from + 3, from} {
			for _, f := range []func() error{func() error { return cause }, func() error { panic(cause) }} {
				mend := cpu.Break(e.prog, left, step, f)
				err := machine.RunAll()
				mend()
				require.ErrorIs(t, err, cause)
				var failed *graph.StepError
				require.ErrorAs(t, err, &failed)
				require.Equal(t, step, failed.Step)
				require.Equal(t, e.plan.Steps[step].Instr.String(), failed.Op)
				clear(v.Data().([]float32))
				require.NoError(t, machine.RunAll())
				require.Equal(t, want, numbers(v))
			}
		}
	}
}

// A value that a step reads as images and as a filter is no stretch's; nor is what a step makes of nothing.
func TestOperandsOfTwoRoles(t *testing.T) {
	compute := func(e graph.Engine) []float64 {
		b := enginetest.NewB(t, tensor.Float32)
		x := b.Input("x", 3, 3, 3, 3)
		y := b.Want("y", 0, b.Apply(&op.Conv2D{}, x, x))
		m := b.Compile(e)
		defer func() { require.NoError(t, m.Close()) }()
		require.NoError(t, m.RunAll())
		v, err := m.Value(y)
		require.NoError(t, err)
		return numbers(v)
	}
	want := compute(open(t, 1))
	cpu.SliceFrom(t, -1)
	require.Equal(t, want, compute(open(t, 1)))

	v := func() *graph.Value { return &graph.Value{Shape: tensor.Shape{2, 3}, Dtype: tensor.Float32} }
	x, y, z := v(), v(), v()
	_, to, _ := cpu.Stretch(&graph.Plan{Steps: []*graph.Step{
		{Instr: &op.ReLU{}, In: []*graph.Value{x}, Out: []*graph.Value{y}},
		{Instr: &ir.Loop{Shape: y.Shape, Results: []int{0}, Steps: []ir.LoopStep{ir.Apply1(ir.Exp, ir.Number(1))}}, Out: []*graph.Value{z}},
	}})
	require.Equal(t, 1, to)
}
