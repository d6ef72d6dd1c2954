// Package onnx reads models of the Open Neural Network Exchange format (https://onnx.ai) and writes them.
//
// [Read] checks a file and returns its [Graph], of which [Graph.Build] makes the nodes of a Gorgonia graph, for inference or for
// fine-tuning, and [Graph.Model] a model of package nn. [Write] stores a model of package nn.
//
//	g, err := onnx.Read("squeezenet.onnx")
//	net, err := g.Build(gorgonia.NewGraph(), onnx.BuildConfig{Batch: 8})
//	machine, err := graph.Compile(net.Graph, graph.WithOutputs(net.Outputs...))
//
// The operations are those of convolutional networks, of operator sets 7 to 28, and of older ones where they mean the same;
// [UnsupportedError] lists what a file has beyond them. All floats are computed in one type. Sizes that files compute from the shapes
// of their inputs are folded while a graph is built, for any batch size.
//
// Files come from strangers. What is wrong with one is a [FormatError] or a [GraphError]; memory stays within a small multiple of the
// file's size and [BuildConfig]'s MaxConstants; external data is read from the model's own folder only.
package onnx
