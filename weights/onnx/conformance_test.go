package onnx

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "github.com/stheno-ml/stheno/cpu" // the engine
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// TestConformance runs ONNX's own test cases, from the folder that STHENO_ONNX_TESTDATA names: it holds node/test_…/model.onnx and the
// like, as Debian's package libonnx-testdata has them in /usr/share/libonnx-testdata/data. A case may be of an operation, a type or an
// attribute that is not supported; what is computed must be right.
func TestConformance(t *testing.T) {
	root := os.Getenv("STHENO_ONNX_TESTDATA")
	if root == "" {
		t.Skip("set STHENO_ONNX_TESTDATA to a folder of ONNX's test cases, such as /usr/share/libonnx-testdata/data")
	}
	models, err := filepath.Glob(filepath.Join(root, "*", os.Getenv("STHENO_ONNX_CASE")+"*", "model.onnx"))
	require.NoError(t, err)
	require.NotEmpty(t, models)
	passed, modelled, refused, reasons := 0, 0, map[string]int{}, map[string][]string{}
	unknown := map[string]int{} // operations, by the cases that want them
	for _, model := range models {
		name := filepath.Base(filepath.Dir(model))
		if strings.Contains(name, "training_dropout") || strings.Contains(strings.ToLower(name), "bfloat16") {
			continue // random numbers of another generator; data that are stored as uint16 or rounded to it
		}
		asModel, err := runCase(filepath.Dir(model))
		modelled += asModel
		var unsupported *UnsupportedError
		var wrong *wrongResult
		switch {
		case err == nil:
			passed++
		case errors.As(err, &unsupported):
			refused["operation"]++
			for op := range unsupported.Ops {
				unknown[op]++
			}
		case errors.As(err, &wrong):
			t.Errorf("%s: %v", name, err)
		default:
			refused["attribute, type or shape"]++
			reason := strings.Split(err.Error(), "\n")[0]
			reasons[reason] = append(reasons[reason], name)
		}
	}
	t.Logf("%d of %d cases pass, %d of them as models of nn, too; refused: %v", passed, len(models), modelled, refused)
	t.Log("operations that are not supported:", unknown)
	lines := make([]string, 0, len(reasons))
	for reason, names := range reasons {
		lines = append(lines, fmt.Sprintf("%s: %s", strings.Join(names, " "), reason))
	}
	sort.Strings(lines)
	t.Log("\n" + strings.Join(lines, "\n"))
}

type wrongResult struct{ what string }

func (e *wrongResult) Error() string { return e.what }

// runCase computes a model for each of its data sets and compares the results.
func runCase(folder string) (asModel int, err error) {
	g, err := Read(filepath.Join(folder, "model.onnx"))
	if err != nil {
		return 0, err
	}
	if err := g.Unsupported(); err != nil {
		return 0, err
	}
	sets, _ := filepath.Glob(filepath.Join(folder, "test_data_set_*"))
	for _, set := range sets {
		inner, err := runSet(g, set)
		asModel = max(asModel, inner)
		if err != nil {
			return 0, err
		}
	}
	return asModel, nil
}

// runAsModel is runSet by way of Graph.Model, where there is one.
func runAsModel(g *Graph, cfg BuildConfig, want *array) (int, error) {
	if len(cfg.Inputs) != 1 || len(g.Outputs) != 1 {
		return 0, nil
	}
	for name, x := range cfg.Inputs {
		m, err := g.Model(ModelConfig{Constants: cfg.Constants, Shapes: map[string][]int{name: x.Shape()}, Dtype: cfg.Dtype})
		if err != nil {
			return 0, nil
		}
		net, err := m.Build(gorgonia.NewGraph(), nn.BuildConfig{Batch: x.Shape()[0], Dtype: cfg.Dtype})
		if err != nil {
			return 0, &wrongResult{fmt.Sprintf("as a model: %v", err)}
		}
		if err := gorgonia.Let(net.Input, x.Value()); err != nil {
			return 0, err
		}
		machine, err := graph.Compile(net.Graph, graph.WithOutputs(net.Output))
		if err != nil {
			return 0, err
		}
		defer machine.Close()
		if err := machine.RunAll(); err != nil {
			return 0, err
		}
		got, err := fromNode(net.Output)
		if err == nil {
			err = compare(got, want)
		}
		if err != nil {
			return 0, &wrongResult{fmt.Sprintf("as a model: %v", err)}
		}
	}
	return 1, nil
}

func runSet(g *Graph, set string) (asModel int, err error) {
	cfg := BuildConfig{Inputs: map[string]*gorgonia.Node{}, Constants: map[string]weights.Tensor{}}
	to := gorgonia.NewGraph()
	cfg.Dtype = tensor.Float32
	for _, in := range g.Inputs {
		if in.Type == "double" {
			cfg.Dtype = tensor.Float64
		}
	}
	for i, in := range g.Inputs {
		a, err := readPB(filepath.Join(set, fmt.Sprintf("input_%d.pb", i)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if !a.elem.isFloat() {
			cfg.Constants[in.Name] = weights.Tensor{Shape: a.shape, Data: a.i64}
			continue
		}
		if len(a.shape) == 0 || in.Name == "scales" || in.Name == "roi" {
			cfg.Constants[in.Name] = weights.Tensor{Shape: a.shape, Data: dense32(a)}
			continue
		}
		d := dense(a, cfg.Dtype)
		cfg.Inputs[in.Name] = gorgonia.NewTensor(to, cfg.Dtype, len(a.shape), gorgonia.WithShape(a.shape...), gorgonia.WithName(in.Name), gorgonia.WithValue(d))
	}
	net, e, outputs, err := g.build(to, cfg)
	if err != nil {
		return 0, err
	}
	var nodes gorgonia.Nodes
	for _, name := range outputs {
		v, err := e.lookup(name)
		if err == nil && !(v.node == nil && v.fixed != nil && !v.fixed.elem.isFloat()) {
			var n *gorgonia.Node
			n, err = e.output(name)
			nodes = append(nodes, n)
		}
		if err != nil {
			return 0, err
		}
	}
	if len(nodes) > 0 {
		m, err := graph.Compile(net.Graph, graph.WithOutputs(nodes...))
		if err != nil {
			return 0, err
		}
		defer m.Close()
		if err := m.RunAll(); err != nil {
			return 0, err
		}
	}
	for i, name := range outputs {
		want, err := readPB(filepath.Join(set, fmt.Sprintf("output_%d.pb", i)))
		if err != nil {
			return 0, err
		}
		v, err := e.lookup(name)
		if err != nil {
			return 0, err
		}
		got := v.fixed
		if v.node != nil || got == nil {
			if got, err = fromNode(nodes[0]); err != nil {
				return 0, err
			}
			nodes = nodes[1:]
		}
		if asModel, err = runAsModel(g, cfg, want); err != nil {
			return 0, err
		}
		if err := compare(got, want); err != nil {
			return 0, &wrongResult{fmt.Sprintf("output %d: %v", i, err)}
		}
	}
	return asModel, nil
}

func dense32(a *array) []float32 {
	out := make([]float32, a.len())
	for i := range out {
		out[i] = float32(a.at(i))
	}
	return out
}

// fromNode returns the value of a node.
func fromNode(n *gorgonia.Node) (*array, error) {
	a := &array{elem: elemFloat, shape: n.Shape()}
	switch x := n.Value().Data().(type) {
	case []float32:
		a.f32 = x
	case float32:
		a.f32 = []float32{x}
	case []float64:
		a.f64 = x
	case float64:
		a.f64 = []float64{x}
	default:
		return nil, fmt.Errorf("got %T", x)
	}
	return a, nil
}

// compare holds a result to the tolerance of ONNX's own runner: 10⁻³ of the value.
func compare(got, want *array) error {
	if got.len() != want.len() || format(got.shape) != format(want.shape) {
		return fmt.Errorf("got shape %v, want %v", got.shape, want.shape)
	}
	tolerance := 1e-3
	switch want.elem { // two roundings to halves, in which these cases compute
	case elemFloat16:
		tolerance = 0x1p-9
	case elemBfloat16:
		tolerance = 0x1p-6
	}
	for i := range got.len() {
		v, w := got.at(i), want.at(i)
		if math.IsNaN(w) && math.IsNaN(v) || v == w {
			continue
		}
		if !(math.Abs(v-w) <= tolerance*math.Abs(w)+1e-6) {
			return fmt.Errorf("element %d is %v, want %v", i, v, w)
		}
	}
	return nil
}

// readPB reads a file that holds a single tensor.
func readPB(path string) (*array, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := parseTensor(whole("tensor", raw))
	if err != nil {
		return nil, err
	}
	return t.array("")
}
