package onnx

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// BuildConfig says how a graph is built. The zero value builds for inference with the sizes that the file fixes.
type BuildConfig struct {
	// Batch is the size of the inputs' first axis; 0 means what the file says.
	Batch int
	// Dims are sizes of further open axes, by their names in the file.
	Dims map[string]int
	// Shapes are whole shapes of inputs, by their names; they take precedence.
	Shapes map[string][]int
	// Inputs are nodes to use as inputs, by the inputs' names; the others are made.
	Inputs map[string]*gorgonia.Node
	// Constants are inputs that are fixed when the graph is built, such as the target of a reshape; their Data is []float32, []float64 or
	// []int64.
	Constants map[string]weights.Tensor
	// Outputs are names of values to return instead of the graph's outputs, such as the features in front of a classifier.
	Outputs []string
	// Training turns on dropout. Batch normalization keeps the statistics of the file; see [Graph.Model] for a model in which they move.
	Training bool
	Seed     uint64         // of dropout
	Step     *gorgonia.Node // Int scalar that counts training steps; nil has Build make one where it is needed
	// Dtype is the type of all computed values, tensor.Float32 or tensor.Float64; by default the latter for a file whose inputs are
	// doubles, the former for all others.
	Dtype tensor.Dtype
	// MaxConstants bounds the bytes of folded constants; 0 means 256 MiB and 16 times the size of the file.
	MaxConstants int64

	dry bool // weights have no values: only shapes are of interest
}

// Net is a model in a Gorgonia graph.
type Net struct {
	Graph           *gorgonia.ExprGraph
	Inputs, Outputs gorgonia.Nodes
	// Params are the weights and their nodes. All graphs that are built from a Graph in one Dtype share the weights' memory.
	Params []nn.Param
	// Step is the Int scalar that dropout needs, nil when nothing is random.
	Step *gorgonia.Node
}

// Trainable returns the nodes to differentiate by.
func (n *Net) Trainable() gorgonia.Nodes {
	var out gorgonia.Nodes
	for _, p := range n.Params {
		if p.Weight.Trainable {
			out = append(out, p.Node)
		}
	}
	return out
}

// Build adds the model to a Gorgonia graph. Floats of all widths are computed in one type; initializers that operations train, such as
// the kernels of convolutions, become trainable weights. Mistakes are *[GraphError] and *[UnsupportedError].
func (g *Graph) Build(to *gorgonia.ExprGraph, cfg BuildConfig) (*Net, error) {
	if cfg.Dtype == (tensor.Dtype{}) {
		cfg.Dtype = g.defaultDtype()
	}
	if cfg.Dtype != tensor.Float32 && cfg.Dtype != tensor.Float64 {
		return nil, &GraphError{Path: g.path, Problem: fmt.Sprintf("Dtype %v is not supported", cfg.Dtype), Remedy: "use tensor.Float32 or tensor.Float64"}
	}
	if to == nil {
		return nil, &GraphError{Path: g.path, Problem: "Build got no graph", Remedy: "pass gorgonia.NewGraph()"}
	}
	net, e, outputs, err := g.build(to, cfg)
	if err != nil {
		return nil, withPath(err, g.path)
	}
	for _, name := range outputs {
		n, err := e.output(name)
		if err != nil {
			return nil, withPath(err, g.path)
		}
		net.Outputs = append(net.Outputs, n)
	}
	return net, nil
}

// defaultDtype is Float64 for doubles.
func (g *Graph) defaultDtype() tensor.Dtype {
	for _, in := range g.Inputs {
		if in.Type == elemDouble.String() {
			return tensor.Float64
		}
	}
	return tensor.Float32
}

// resolve returns the shape of an input, all sizes known.
func (v Value) resolve(batch int, dims map[string]int, shapes map[string][]int) ([]int, error) {
	fail := func(remedy, format string, args ...any) ([]int, error) {
		return nil, &GraphError{Node: fmt.Sprintf("input %q", v.Name), Problem: fmt.Sprintf(format, args...), Remedy: remedy}
	}
	s, given := shapes[v.Name]
	switch {
	case given:
		if v.Dims != nil && len(s) != len(v.Dims) {
			return fail("", "has %d axes in the file, Shapes says %v", len(v.Dims), s)
		}
	case v.Dims == nil:
		return fail("give it in BuildConfig.Shapes", "has no shape in the file")
	default:
		for i, d := range v.Dims {
			n := d.Size
			switch {
			case i == 0 && batch > 0:
				n = batch
			case n >= 0:
			case d.Param != "" && dims[d.Param] > 0:
				n = dims[d.Param]
			case i == 0:
				return fail("set BuildConfig.Batch", "has an open first axis, %q", d.String())
			default:
				return fail(fmt.Sprintf("set BuildConfig.Dims[%q], or Shapes", d.Param), "has an open axis %d, %q", i, d.String())
			}
			s = append(s, n)
		}
	}
	for i, d := range s {
		if d < 1 || d > maxSize {
			return fail("", "has the size %d on axis %d", d, i)
		}
	}
	if _, ok := product(s); !ok {
		return fail("", "of shape %v is too large", s)
	}
	return slices.Clone(s), nil
}

// fromTensor makes a constant of a tensor.
func fromTensor(t weights.Tensor) (*array, error) {
	a := &array{shape: slices.Clone(t.Shape)}
	switch x := t.Data.(type) {
	case []float32:
		a.elem, a.f32 = elemFloat, x
	case []float64:
		a.elem, a.f64 = elemDouble, x
	case []int64:
		a.elem, a.i64 = elemInt64, x
	default:
		return nil, fmt.Errorf("constants must be []float32, []float64 or []int64, is %T", x)
	}
	if n, ok := product(t.Shape); !ok || n != a.len() {
		return nil, fmt.Errorf("%d elements don't make the shape %v", a.len(), t.Shape)
	}
	return a, nil
}

func denseType(a *array, dt tensor.Dtype) tensor.Dtype {
	if a.i64 != nil {
		return tensor.Int
	}
	return dt
}

// dense makes a tensor of its own of floats in type dt, or of integers as int.
func dense(a *array, dt tensor.Dtype) *tensor.Dense {
	n := a.len()
	var data any
	switch {
	case a.i64 != nil:
		list := make([]int, n)
		for i, v := range a.i64 {
			list[i] = int(v)
		}
		data = list
	case dt == tensor.Float64:
		list := make([]float64, n)
		for i := range list {
			list[i] = a.at(i)
		}
		data = list
	case a.f32 != nil:
		data = slices.Clone(a.f32)
	default:
		list := make([]float32, n)
		for i := range list {
			list[i] = float32(a.f64[i])
		}
		data = list
	}
	if len(a.shape) == 0 {
		switch x := data.(type) {
		case []float32:
			return tensor.New(tensor.FromScalar(x[0]))
		case []float64:
			return tensor.New(tensor.FromScalar(x[0]))
		case []int:
			return tensor.New(tensor.FromScalar(x[0]))
		}
	}
	return tensor.New(tensor.WithShape(a.shape...), tensor.WithBacking(data))
}
