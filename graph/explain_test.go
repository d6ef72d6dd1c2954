package graph_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
	"github.com/stheno-ml/stheno/internal/enginetest"
)

// small is a net of a convolution and a dense layer with its training step: a little of everything that tables and drawings
// show. Names are as package nn makes them.
func small(t testing.TB) *enginetest.B {
	b := enginetest.NewB(t, tensor.Float32)
	x := b.Input("images", 2, 6, 6, 3)
	w, bias, dense := b.Input("conv/kernel", 3, 3, 3, 4), b.Input("conv/bias", 4), b.Input("dense/kernel", 16, 5)
	v := b.Filled("momentum/conv/kernel", make([]float32, 108), 3, 3, 3, 4)
	y := b.Apply(&op.Conv2D{}, x, w)
	y = b.Apply(&op.ReLU{}, b.Apply(&op.BiasAdd{Axis: -1}, y, bias))
	gorgonia.WithName("conv")(y)
	y = b.Apply(&op.MaxPool2D{}, y)
	gorgonia.WithName("pool")(y)
	flat, err := op.Flatten(y)
	require.NoError(t, err)
	logits := b.Apply(&op.MatMul{}, flat, dense)
	gorgonia.WithName("dense")(logits)
	cost := b.Want("cost", 0, b.Apply(&op.Mean{}, b.Apply(&op.SoftmaxCrossEntropy{}, logits, b.Labels("labels", 2, 5))))
	grads, err := gorgonia.Grad(cost, w, bias, dense)
	require.NoError(t, err)
	lr := b.Scalar("learning_rate", 0.1)
	n := b.Apply(&op.Momentum{Momentum: 0.9}, v, grads[0], lr)
	b.Update(v, n)
	b.Update(w, b.Apply(&op.Add{}, w, n))
	b.Update(bias, b.Apply(&op.Descend{}, bias, grads[1], lr))
	b.Update(dense, b.Apply(&op.Descend{}, dense, grads[2], lr))
	return b
}

func TestExplain(t *testing.T) {
	b := small(t)
	p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
	require.NoError(t, err)
	e := graph.Explain(p)
	golden(t, filepath.Join("testdata", "explain", "plan.txt"), e.String())

	require.Len(t, e.Steps, len(p.Steps))
	var flops, bytes int64
	fullest := 0
	for i, s := range e.Steps {
		require.Equal(t, i, s.Step)
		require.Equal(t, "-", s.Kernel)
		require.Equal(t, graph.CostOf(p.Steps[i]), s.Cost)
		require.LessOrEqual(t, s.LiveBytes, e.ArenaBytes)
		flops, bytes, fullest = flops+s.FLOPs, bytes+s.Bytes, max(fullest, s.LiveBytes)
	}
	require.Equal(t, flops, e.FLOPs)
	require.Equal(t, bytes, e.Bytes)
	require.Equal(t, fullest, e.Steps[e.PeakStep].LiveBytes)
	require.Equal(t, p.PeakBytes(), e.ArenaBytes+e.Inputs.Bytes+e.Variables.Bytes+e.Constants.Bytes+e.Outputs.Bytes, "the parts of the peak")

	text, err := json.Marshal(e)
	require.NoError(t, err)
	var back graph.Explanation
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, *e, back)
}

func TestMachineExplain(t *testing.T) {
	onlyCPU(t, "of the CPU's kernels")
	b := small(t)
	m := b.Compile(graph.Null{})
	require.Equal(t, "null", m.Explain().Engine)
	require.NoError(t, m.Close())

	m = b.Compile(openCPU(t))
	defer m.Close()
	e := m.Explain()
	require.Regexp(t, `^cpu with \d+ threads?, \w+ kernels$`, e.Engine)
	require.Contains(t, e.Steps[0].Kernel, "gemm")
	for _, s := range e.Steps {
		require.NotContains(t, []string{"", "-"}, s.Kernel, s.Operation)
	}
	require.Contains(t, e.String(), e.Engine)
}

// A plan may be empty of one or the other kind of value.
func TestExplainLittle(t *testing.T) {
	b := enginetest.NewB(t, tensor.Float64)
	b.Want("y", 0, b.Apply(&op.ReLU{}, b.Input("x", 1000)))
	p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
	require.NoError(t, err)
	require.Equal(t, ""+
		"1 step, float64; planned only\n"+
		"#  operation  layer  kernel  result      layout     moved   FLOPs  place  live\n"+
		"0  ReLU              -       f64(1000,)  -       15.6 KiB  1.00 k  out     0 B\n"+
		"total: 15.6 KiB moved, 1.00 kFLOPs\n"+
		"peak: 15.6 KiB = arena 0 B + 1 input 7.81 KiB + 1 output 7.81 KiB\n", graph.Explain(p).String())
}

func TestExplainPasses(t *testing.T) {
	b := small(t)
	texts, err := graph.ExplainPasses(b.G, b.Options(graph.Null{})...)
	require.NoError(t, err)
	var all strings.Builder
	for _, p := range texts {
		fmt.Fprintf(&all, "=== %q: %d steps\n%s", p.Pass, p.Steps, p.Text)
	}
	golden(t, filepath.Join("testdata", "explain", "passes.txt"), all.String())
	p, err := graph.PlanFor(b.G, b.Options(graph.Null{})...)
	require.NoError(t, err)
	require.Equal(t, len(p.Steps), texts[len(texts)-1].Steps)
	// What a text shows is the one before, less the lines that are taken, plus those that are made.
	for i, text := range texts[1:] {
		require.Equal(t, texts[i].Steps-strings.Count("\n"+text.Text, "\n- ")+strings.Count("\n"+text.Text, "\n+ "), text.Steps, text.Pass)
	}
	_, err = graph.ExplainPasses(nil)
	require.ErrorContains(t, err, "the graph is nil")
}

func TestSI(t *testing.T) {
	for v, want := range map[float64]string{0: "0 ", 1: "1.00 ", 12.34: "12.3 ", 999: "999 ", 999.6: "1.00 k", 1000: "1.00 k", 123456: "123 k", 9.994e6: "9.99 M",
		9.996e6: "10.0 M", 99.96e9: "100 G", 1e-6: "1.00 µ", 0.9996: "1.00 ", 0.5: "500 m", 1.5e-10: "0.15 n", -2500: "-2.50 k", 1e21: "1000 E", math.Inf(1): "+Inf "} {
		require.Equal(t, want, graph.SI(v), "%g", v)
	}
}
