package nn

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/numtest"
)

// goldenLosses are the cases of the golden files, with the reduction left open.
var goldenLosses = map[string]map[string]func(Reduction) Loss{
	"categorical": {
		"categorical logits":      func(r Reduction) Loss { return CategoricalCrossentropy{FromLogits: true, Reduction: r} },
		"categorical logits wide": func(r Reduction) Loss { return CategoricalCrossentropy{FromLogits: true, Reduction: r} },
		"categorical logits smooth": func(r Reduction) Loss {
			return CategoricalCrossentropy{FromLogits: true, LabelSmoothing: 0.1, Reduction: r}
		},
		"categorical logits batch 1": func(r Reduction) Loss { return CategoricalCrossentropy{FromLogits: true, Reduction: r} },
		"categorical logits images":  func(r Reduction) Loss { return CategoricalCrossentropy{FromLogits: true, Reduction: r} },
		"categorical logits axis 1":  func(r Reduction) Loss { return CategoricalCrossentropy{FromLogits: true, Axis: 1, Reduction: r} },
		"categorical":                func(r Reduction) Loss { return CategoricalCrossentropy{Reduction: r} },
		"categorical not normalized": func(r Reduction) Loss { return CategoricalCrossentropy{Axis: -1, Reduction: r} },
		"categorical smooth":         func(r Reduction) Loss { return CategoricalCrossentropy{LabelSmoothing: 0.25, Reduction: r} },
		"categorical axis 2":         func(r Reduction) Loss { return CategoricalCrossentropy{Axis: -2, Reduction: r} },
		"sparse logits":              func(r Reduction) Loss { return SparseCategoricalCrossentropyLoss{FromLogits: true, Reduction: r} },
		"sparse logits wide":         func(r Reduction) Loss { return SparseCategoricalCrossentropyLoss{FromLogits: true, Reduction: r} },
		"sparse logits batch 1":      func(r Reduction) Loss { return SparseCategoricalCrossentropyLoss{FromLogits: true, Reduction: r} },
		"sparse logits images":       func(r Reduction) Loss { return SparseCategoricalCrossentropyLoss{FromLogits: true, Reduction: r} },
		"sparse":                     func(r Reduction) Loss { return SparseCategoricalCrossentropyLoss{Reduction: r} },
	},
	"focal": {
		"focal logits": func(r Reduction) Loss { return CategoricalFocalCrossentropy{FromLogits: true, Reduction: r} },
		"focal logits smooth": func(r Reduction) Loss {
			return CategoricalFocalCrossentropy{FromLogits: true, LabelSmoothing: 0.1, Alpha: 0.5, Gamma: 1.5, Reduction: r}
		},
		"focal":                func(r Reduction) Loss { return CategoricalFocalCrossentropy{Reduction: r} },
		"focal not normalized": func(r Reduction) Loss { return CategoricalFocalCrossentropy{Gamma: 1, Reduction: r} },
		"focal axis 1": func(r Reduction) Loss {
			return CategoricalFocalCrossentropy{FromLogits: true, Axis: 1, Gamma: 3, Reduction: r}
		},
		"binary focal logits": func(r Reduction) Loss { return BinaryFocalCrossentropy{FromLogits: true, Reduction: r} },
		"binary focal balanced": func(r Reduction) Loss {
			return BinaryFocalCrossentropy{ApplyClassBalancing: true, Alpha: 0.3, Gamma: 1.5, Reduction: r}
		},
		"binary focal smooth": func(r Reduction) Loss { return BinaryFocalCrossentropy{LabelSmoothing: 0.1, Reduction: r} },
		"binary focal axis 1": func(r Reduction) Loss {
			return BinaryFocalCrossentropy{FromLogits: true, Axis: 1, Gamma: 1, Reduction: r}
		},
	},
	"binary": {
		"binary logits":        func(r Reduction) Loss { return BinaryCrossentropy{FromLogits: true, Reduction: r} },
		"binary logits wide":   func(r Reduction) Loss { return BinaryCrossentropy{FromLogits: true, Reduction: r} },
		"binary logits smooth": func(r Reduction) Loss { return BinaryCrossentropy{FromLogits: true, LabelSmoothing: 0.2, Reduction: r} },
		"binary logits axis 1": func(r Reduction) Loss { return BinaryCrossentropy{FromLogits: true, Axis: 1, Reduction: r} },
		"binary":               func(r Reduction) Loss { return BinaryCrossentropy{Reduction: r} },
		"binary smooth":        func(r Reduction) Loss { return BinaryCrossentropy{LabelSmoothing: 0.3, Reduction: r} },
		"binary clipped":       func(r Reduction) Loss { return BinaryCrossentropy{Reduction: r} },
		"binary one":           func(r Reduction) Loss { return BinaryCrossentropy{Reduction: r} },
	},
	"regression": {
		"squared":              func(r Reduction) Loss { return MeanSquaredError{r} },
		"squared images":       func(r Reduction) Loss { return MeanSquaredError{r} },
		"squared one":          func(r Reduction) Loss { return MeanSquaredError{r} },
		"absolute":             func(r Reduction) Loss { return MeanAbsoluteError{r} },
		"percentage":           func(r Reduction) Loss { return MeanAbsolutePercentageError{r} },
		"logarithmic":          func(r Reduction) Loss { return MeanSquaredLogarithmicError{r} },
		"logarithmic negative": func(r Reduction) Loss { return MeanSquaredLogarithmicError{r} },
		"huber":                func(r Reduction) Loss { return Huber{Reduction: r} },
		"huber 0.3":            func(r Reduction) Loss { return Huber{Delta: 0.3, Reduction: r} },
		"logcosh":              func(r Reduction) Loss { return LogCosh{r} },
		"logcosh wide":         func(r Reduction) Loss { return LogCosh{r} },
		"poisson":              func(r Reduction) Loss { return Poisson{r} },
		"kl":                   func(r Reduction) Loss { return KLDivergence{r} },
		"kl zeros":             func(r Reduction) Loss { return KLDivergence{r} },
		"cosine":               func(r Reduction) Loss { return CosineSimilarity{Reduction: r} },
		"cosine axis 1":        func(r Reduction) Loss { return CosineSimilarity{Axis: 1, Reduction: r} },
	},
	"hinge": {
		"hinge":                    func(r Reduction) Loss { return Hinge{r} },
		"hinge binary":             func(r Reduction) Loss { return Hinge{r} },
		"hinge mixed":              func(r Reduction) Loss { return Hinge{r} },
		"squared hinge":            func(r Reduction) Loss { return SquaredHinge{r} },
		"squared hinge binary":     func(r Reduction) Loss { return SquaredHinge{r} },
		"categorical hinge":        func(r Reduction) Loss { return CategoricalHinge{r} },
		"categorical hinge images": func(r Reduction) Loss { return CategoricalHinge{r} },
	},
}

func TestGoldenLosses(t *testing.T) {
	for file, losses := range goldenLosses {
		cases := numtest.LoadGolden(t, "testdata/golden/losses_"+file+".json").Cases
		require.Len(t, losses, len(cases), file)
		for _, c := range cases {
			l := losses[c.Name]
			require.NotNil(t, l, c.Name)
			class, name := l("").Identity()
			require.Equal(t, []string{c.Str("class"), c.Str("name")}, []string{class, name})
			for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
				for _, engine := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %v engine %v", c.Name, dt, engine), func(t *testing.T) { checkLoss(t, c.For(t), l, dt, engine) })
				}
			}
		}
	}
}

// lossInputs adds the tensors of a case to a graph.
func lossInputs(c *numtest.Case, g *gorgonia.ExprGraph, dt tensor.Dtype) func(name string) *gorgonia.Node {
	return func(name string) *gorgonia.Node {
		x := c.Tensor(name)
		of := dt
		if x.Dtype == "int" {
			of = tensor.Int
		}
		return gorgonia.NewTensor(g, of, len(x.Shape), gorgonia.WithShape(x.Shape...), gorgonia.WithName(name), gorgonia.WithValue(x.Dense(of)))
	}
}

// checkLoss compares the losses of samples, all reductions and gradients with Keras's.
func checkLoss(t *testing.T, c *numtest.Case, l func(Reduction) Loss, dt tensor.Dtype, engine bool) {
	g := gorgonia.NewGraph()
	in := lossInputs(c, g, dt)
	p, target, dv := in("p"), in("t"), in("dv")
	want := map[string]*gorgonia.Node{}
	var err error
	want["values"], err = l("").Values(p, target)
	require.NoError(t, err)
	grads, err := gorgonia.Backpropagate(gorgonia.Nodes{want["values"]}, gorgonia.Nodes{dv}, gorgonia.Nodes{p})
	require.NoError(t, err)
	want["dp"] = grads[0]
	checkValues(t, c, g, want, dt, engine)

	for _, r := range []Reduction{"", ReductionSumOverBatchSize, ReductionSum, ReductionMean, ReductionMeanWithSampleWeight} {
		for _, weighted := range []bool{false, true} {
			g := gorgonia.NewGraph()
			in := lossInputs(c, g, dt)
			p, target, weights := in("p"), in("t"), (*gorgonia.Node)(nil)
			key := string(r)
			if r == "" {
				key = "sum_over_batch_size"
			}
			if weighted {
				key, weights = key+" weighted", in("w")
			}
			loss, err := l(r).Reduced(p, target, weights)
			require.NoError(t, err)
			want := map[string]*gorgonia.Node{key: loss}
			if r == "" {
				grads, err := gorgonia.Grad(loss, p)
				require.NoError(t, err)
				want["dp "+key] = grads[0]
			}
			checkValues(t, c, g, want, dt, engine)
		}
	}
}

func checkValues(t *testing.T, c *numtest.Case, g *gorgonia.ExprGraph, want map[string]*gorgonia.Node, dt tensor.Dtype, engine bool) {
	var nodes gorgonia.Nodes
	for _, n := range want {
		nodes = append(nodes, n)
	}
	values := valuesOf(t, g, nodes, engine)
	for name, n := range want {
		kind := numtest.Loss
		if strings.HasPrefix(name, "dp") {
			kind = numtest.Gradient
		}
		numtest.AssertClose(t, c.Tensor(name), values[n], numtest.GoldenTol(dt, kind), name)
	}
}

// valuesOf computes nodes on Gorgonia's machine or on the engine.
func valuesOf(t *testing.T, g *gorgonia.ExprGraph, nodes gorgonia.Nodes, engine bool) map[*gorgonia.Node]gorgonia.Value {
	values := map[*gorgonia.Node]gorgonia.Value{}
	if !engine {
		for _, n := range nodes {
			var v gorgonia.Value
			gorgonia.Read(n, &v)
		}
		vm := gorgonia.NewTapeMachine(g)
		defer vm.Close()
		require.NoError(t, vm.RunAll())
		for _, n := range nodes {
			values[n] = n.Value()
		}
		return values
	}
	e, err := graph.Open(cmp.Or(os.Getenv("STHENO_TEST_DEVICE"), "cpu"), graph.Config{})
	require.NoError(t, err)
	defer e.Close()
	m, err := graph.Compile(g, graph.WithEngine(e), graph.WithOutputs(nodes...))
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.RunAll())
	for _, n := range nodes {
		v, err := m.Value(n)
		require.NoError(t, err)
		values[n], err = gorgonia.CloneValue(v)
		require.NoError(t, err)
	}
	return values
}
