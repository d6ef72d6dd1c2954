package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/graph/op"
)

// Moves of every element type run on the device, and types of one size share a source.
func TestMovesOfAllTypes(t *testing.T) {
	sources := map[string]bool{}
	for _, dt := range allTypes {
		x := valueOf(dt, 4, 6)
		for _, s := range []struct {
			o  ir.Op
			in []int
		}{
			{o: &ir.Slice{Axis: 1, Start: 1, End: 5, Step: 2}}, {o: &ir.SliceGrad{Slice: &ir.Slice{Axis: 0, Start: 1, End: 5, Step: 1}, InputShape: tensor.Shape{9, 6}}},
			{o: &ir.Concat{Axis: 1}, in: []int{4, 3}}, {o: &ir.Concat{Axis: 0}, in: []int{5, 6}}, {o: &ir.At{Coordinates: []int{3, 5}}}, {o: &ir.DiagFlat{}},
		} {
			shapes := []tensor.Shape{x.Shape}
			step := stepOf(s.o, nil, x)
			if s.in != nil {
				step.In = append(step.In, valueOf(dt, s.in...))
				shapes = append(shapes, s.in)
			}
			y, err := s.o.Infer(shapes)
			require.NoError(t, err)
			step.Out[0] = valueOf(dt, y...)
			for _, c := range commandsOf(t, builderFor(FP32), step) {
				if l, ok := c.(*Launch); ok {
					sources[l.Source.Text] = true
				}
			}
		}
		commandsOf(t, builderFor(FP32), stepOf(&ir.Gather{Axis: 1}, valueOf(dt, 4, 3), x, valueOf(tensor.Int, 3)))
		for _, from := range allTypes {
			commandsOf(t, builderFor(FP32), stepOf(&ir.Cast{To: dt}, valueOf(dt, 4, 6), valueOf(from, 4, 6)))
		}
	}
	require.Len(t, sources, 2*3) // move.cu and rows.cu for elements of 1, 4 and 8 bytes
}

// Where a slice begins is asked for before every run.
func TestSlicesThatMove(t *testing.T) {
	o := &ir.Slice{Axis: 0, Start: 1, End: 4, Step: 1}
	l := commandsOf(t, builderFor(FP32), stepOf(o, valueOf(tensor.Float32, 3, 5), valueOf(tensor.Float32, 8, 5)))[0].(*Launch)
	start := l.Args[2].(Late)
	at, err := start()
	require.NoError(t, err)
	require.EqualValues(t, 1, at)
	o.Start = 5
	at, err = start()
	require.NoError(t, err)
	require.EqualValues(t, 5, at)
	o.Start = 6
	_, err = start()
	require.ErrorContains(t, err, "moved out of its axis of 8 elements")
}

func TestIndicesAreChecked(t *testing.T) {
	for _, o := range []ir.Op{&ir.Gather{Axis: 0}, &ir.GatherGrad{Axis: 0, InputShape: tensor.Shape{4, 6}}} {
		x, y := valueOf(tensor.Float32, 4, 6), valueOf(tensor.Float32, 3, 6)
		if o.Kind() == "GatherGrad" {
			x, y = y, x
		}
		check := commandsOf(t, builderFor(FP32), stepOf(o, y, x, valueOf(tensor.Int, 3)))[0].(*Check)
		require.Equal(t, 1, check.In)
		require.NoError(t, check.Fn(op.Array{Data: []int{0, 3, 1}}))
		require.EqualError(t, check.Fn(op.Array{Data: []int{0, 4, 1}}), "ir: "+o.Kind()+": index 1 is 4, want 0 to 3")
	}
}

func TestRandomOfManyTrials(t *testing.T) {
	for _, c := range []struct {
		trials, p float64
		host      bool
	}{{10, 0.5, false}, {10, 0, false}, {10, 1, false}, {0, 0.5, false}, {mostShares, 0.5, false}, {mostShares + 1, 0.5, true}, {1 << 20, 0, false}} {
		s := stepOf(&ir.Random{From: ir.Binomial, A: c.trials, B: c.p, Shape: tensor.Shape{7}}, valueOf(tensor.Float32, 7), valueOf(tensor.Int))
		commands, err := Commands(builderFor(FP32), s)
		require.NoError(t, err)
		require.Equal(t, c.host, commands == nil, "%v", c)
		if !c.host {
			checkLaunches(t, builderFor(FP32), s, commands)
		}
	}
}
