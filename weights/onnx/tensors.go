package onnx

import "github.com/stheno-ml/stheno/weights"

// Tensors returns the initializers of floats, in the order of the file and under their names there. Halves are widened to float32. For the
// weights in the layouts of package nn take those of [Graph.Model].
func (g *Graph) Tensors() ([]weights.Tensor, error) {
	var out []weights.Tensor
	for _, t := range g.stored {
		if !t.elem.isFloat() {
			continue
		}
		a, err := t.array(g.folder)
		if err != nil {
			return nil, withPath(err, g.path)
		}
		tensor := weights.Tensor{Name: t.name, Shape: a.shape, DType: "F32", Data: a.f32}
		if a.f64 != nil {
			tensor.DType, tensor.Data = "F64", a.f64
		}
		out = append(out, tensor)
	}
	return out, nil
}
