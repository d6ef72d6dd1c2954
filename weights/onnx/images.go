package onnx

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/nn"
)

// inputs returns the graph's inputs that c does not fix.
func (g *Graph) inputs(c ModelConfig) ([]*Value, error) {
	var out []*Value
	for i := range g.Inputs {
		if _, fixed := c.Constants[g.Inputs[i].Name]; !fixed {
			out = append(out, &g.Inputs[i])
		}
	}
	if len(out) == 0 {
		return nil, &GraphError{Problem: "has no input"}
	}
	return out, nil
}

// channelsFirst says whether an input of images has the axes (batch, channels, rows, columns), which is what ONNX's operations want: what
// first changes or needs the order of axes says it, else the sizes do, of which 1 and 3 are channels.
func (g *Graph) channelsFirst(in *Value) bool {
	like := map[string]bool{in.Name: true}
	for _, n := range g.nodes {
		if len(n.inputs) == 0 || !slices.ContainsFunc(n.inputs, func(name string) bool { return like[name] }) {
			continue
		}
		switch n.opType {
		case "Transpose":
			for _, a := range n.attributes {
				if a.name == "perm" {
					return !slices.Equal(a.ints, []int64{0, 3, 1, 2})
				}
			}
			return true
		case "Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization", "LRN", "ConvTranspose":
			return true
		case "Add", "Sub", "Mul", "Div", "Cast", "Identity", "Clip", "Relu", "Pad":
			like[n.outputs[0]] = true
		}
	}
	is := func(d Dim) bool { return d.Size == 1 || d.Size == 3 }
	return !is(in.Dims[3]) || is(in.Dims[1])
}

// imageShape returns what a sample of images of c.Size is to the graph, where that is open, and whether channels come first.
func (g *Graph) imageShape(c ModelConfig, in *Value) (shape []int, first bool, err error) {
	if len(in.Dims) != 4 {
		dims := "of any shape"
		if in.Dims != nil {
			dims = fmt.Sprint(in.Dims)
		}
		return nil, false, &GraphError{Node: fmt.Sprintf("input %q", in.Name), Problem: "must be images, with four axes, it is " + dims}
	}
	first = g.channelsFirst(in)
	if len(c.Size) != 3 {
		return nil, first, nil
	}
	shape = []int{1, c.Size[0], c.Size[1], c.Size[2]}
	if first {
		shape = []int{1, c.Size[2], c.Size[0], c.Size[1]}
	}
	for i, d := range in.Dims[1:] {
		if d.Size >= 0 && d.Size != shape[i+1] {
			return nil, first, &GraphError{Node: fmt.Sprintf("input %q", in.Name), Problem: fmt.Sprintf("is %v in the file, which does not fit images of %v (rows, columns, channels)", in.Dims, c.Size)}
		}
	}
	return shape, first, nil
}

// imageInput adds the input of a model of images, rows, columns, channels, and what makes of it what the graph takes.
func (t *translation) imageInput(name string, first bool) (input, result *nn.Tensor) {
	s := t.sample(name)
	if !first {
		x := t.b.Add(nn.Input{Shape: s, Name: t.name(name, "input")})
		return x, x
	}
	x := t.b.Add(nn.Input{Shape: nn.Shape{s[1], s[2], s[0]}, Name: t.name(name, "input")})
	return x, t.b.Add(nn.Permute{Dims: []int{3, 1, 2}, Name: t.name("channels_first", "permute")}, x)
}

const useBuild = "build it in a program, with Graph.Build"
