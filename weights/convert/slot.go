package convert

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
)

// slot is a weight of the network with what is to be known to fill it.
type slot struct {
	weight *nn.Weight
	layer  *nn.LayerInfo
	local  string // "kernel", "bias", …
	part   string // of an attention: "query", "key", "value", "attention_output"
	unit   int    // number of the module of PyTorch that it belongs to
	// flat is the shape of the images that a Flatten before made vectors of, rows, columns, channels; nil where none did.
	flat []int
}

// slots lists the weights in the network's order. units is the number of modules.
func slots(m *nn.Model) (all []*slot, units int) {
	layers := m.Layers()
	byName := map[string]*nn.LayerInfo{}
	for i := range layers {
		byName[layers[i].Name] = &layers[i]
	}
	for i := range layers {
		l := &layers[i]
		flat := flattened(l, byName, m.DataFormat())
		for j, w := range l.Weights {
			local, part := w.Name[strings.LastIndexByte(w.Name, '/')+1:], ""
			if l.Class == "MultiHeadAttention" { // which is four modules
				part = path.Base(path.Dir(w.Name))
			}
			if j == 0 || local == "pointwise_kernel" || part != "" && local == "kernel" { // a separable convolution is two modules
				units++
			}
			all = append(all, &slot{weight: w, layer: l, local: local, part: part, unit: units - 1, flat: flat})
		}
	}
	return all, units
}

// flattened finds the shape of the images whose elements are the inputs of l, in the first of its places where they are.
func flattened(l *nn.LayerInfo, byName map[string]*nn.LayerInfo, format nn.DataFormat) []int {
	for _, at := range l.Calls {
		if flat := flattenedCall(at, byName, format); flat != nil {
			return flat
		}
	}
	return nil
}

func flattenedCall(at nn.Call, byName map[string]*nn.LayerInfo, format nn.DataFormat) []int {
	for len(at.Inputs) == 1 {
		from := at.Inputs[0]
		before := byName[from.Layer]
		call, shape := resultOf(byName, from)
		if before.Class == "Flatten" {
			if len(call.Inputs) != 1 {
				return nil
			}
			_, in := resultOf(byName, call.Inputs[0])
			if len(in) != 3 {
				return nil
			}
			if format == nn.ChannelsFirst { // Flatten moves the channels back
				return []int{in[1], in[2], in[0]}
			}
			return slices.Clone(in)
		}
		if len(shape) != 1 || len(before.Weights) > 0 && before.Class != "BatchNormalization" {
			return nil // other layers mix or renew the elements
		}
		at = call
	}
	return nil
}

// resultOf finds the call that a source names, and the shape of its result.
func resultOf(byName map[string]*nn.LayerInfo, from nn.Source) (nn.Call, nn.Shape) {
	calls := byName[from.Layer].Calls
	call := calls[slices.IndexFunc(calls, func(c nn.Call) bool { return c.Number == from.Call })]
	return call, call.OutputShapes[from.Result]
}

// arrangement is a shape in a file, and how its elements become a weight's.
type arrangement struct {
	shape         []int // in the file
	view, strides []int // of the weight; nil where nothing moves
}

func plain(shape []int) arrangement { return arrangement{shape: shape} }

// strides are those of a row-major array.
func strides(shape []int) []int {
	out, step := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		out[i] = step
		step *= shape[i]
	}
	return out
}

// permuted is the arrangement whose axis axes[i] in the file is axis i of the weight.
func permuted(shape []int, axes []int) arrangement {
	a := arrangement{shape: make([]int, len(shape)), view: shape, strides: make([]int, len(shape))}
	for i, axis := range axes {
		a.shape[axis] = shape[i]
	}
	for i, axis := range axes {
		a.strides[i] = strides(a.shape)[axis]
	}
	return a
}

// arrangement says how the weight lies in a file of a layout.
func (s *slot) arrangement(l Layout) arrangement {
	shape := []int(s.weight.Shape)
	if l == KerasLayout {
		return plain(shape)
	}
	n := len(shape)
	switch {
	case s.part != "":
		return s.attention()
	case s.depthwise():
		// (channels·multiplier, 1, rows, columns) becomes (rows, columns, channels, multiplier).
		space, c, m := shape[:n-2], shape[n-2], shape[n-1]
		size := elements(space)
		view := append(strides(space), m*size, size)
		return arrangement{shape: append([]int{c * m, 1}, space...), view: shape, strides: view}
	case strings.HasSuffix(s.local, "kernel") && n > 2:
		// (out, in, rows, columns) becomes (rows, columns, in, out); of a transposed convolution (in, out, rows, columns)
		// becomes (rows, columns, out, in), which are the same moves.
		axes := make([]int, n)
		for i := range n - 2 {
			axes[i] = i + 2
		}
		axes[n-2], axes[n-1] = 1, 0
		return permuted(shape, axes)
	case s.local == "kernel" && n == 2:
		if s.flat != nil {
			h, w, c := s.flat[0], s.flat[1], s.flat[2]
			out := shape[1]
			return arrangement{shape: []int{out, shape[0]}, view: []int{h, w, c, out}, strides: []int{w, 1, h * w, shape[0]}}
		}
		return permuted(shape, []int{1, 0})
	case n == 1 && s.flat != nil && s.layer.Class == "BatchNormalization":
		h, w, c := s.flat[0], s.flat[1], s.flat[2]
		return arrangement{shape: shape, view: []int{h, w, c}, strides: []int{w, 1, h * w}}
	}
	return plain(shape)
}

func (s *slot) depthwise() bool {
	return len(s.weight.Shape) > 2 && (s.local == "depthwise_kernel" || s.local == "kernel" && strings.HasPrefix(s.layer.Class, "DepthwiseConv"))
}

// isParameter says whether the layer is a parameter of its module in PyTorch, which has the layer's name and no leaf.
func (s *slot) isParameter() bool {
	return s.layer.Class == "ClassToken" || s.layer.Class == "PositionEmbedding"
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// leaf is the name of the weight in a module of PyTorch.
func (s *slot) leaf() string {
	switch s.local {
	case "kernel", "depthwise_kernel", "pointwise_kernel", "gamma", "embeddings", "alpha":
		return "weight"
	case "beta":
		return "bias"
	case "moving_mean":
		return "running_mean"
	case "moving_variance":
		return "running_var"
	}
	return s.local
}

// take makes of a tensor the elements of the weight.
func (a arrangement) take(t *weights.Tensor) ([]float32, error) {
	x := *t
	if a.view != nil {
		var err error
		if x, err = t.View(t.Name, 0, a.view, a.strides); err != nil {
			return nil, err
		}
	}
	if d, ok := x.Data.([]float64); ok {
		out := make([]float32, len(d))
		for i, v := range d {
			out[i] = float32(v)
		}
		return out, nil
	}
	return x.Float32s()
}

// isFloat says whether a tensor's numbers can be weights.
func isFloat(t *weights.Tensor) bool {
	switch t.TypeName() {
	case "F16", "BF16", "F32", "F64":
		return true
	}
	return false
}

// moves says in words what happens to the axes.
func (a arrangement) moves(to []int) string {
	if a.view == nil {
		return ""
	}
	return fmt.Sprintf("%v to %v", a.shape, to)
}
