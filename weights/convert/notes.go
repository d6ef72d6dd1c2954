package convert

import (
	"fmt"
	"slices"

	"github.com/stheno-ml/stheno/nn"
)

// torchEpsilon is the default of PyTorch's batch normalization.
const torchEpsilon = 1e-5

// notes are what makes a network compute other numbers than PyTorch's with the same weights: what neither names nor shapes
// can show.
func (p *Plan) notes() []string {
	if p.Layout != TorchLayout {
		return nil
	}
	var epsilon, uneven []string
	value := 0.0
	layers := p.model.Layers()
	byName := map[string]*nn.LayerInfo{}
	for i := range layers {
		byName[layers[i].Name] = &layers[i]
	}
	unevenSame := func(l nn.LayerInfo, window, strides [2]int) bool {
		return slices.ContainsFunc(l.Calls, func(c nn.Call) bool {
			_, in := resultOf(byName, c.Inputs[0])
			return unevenSame(in, window, strides, p.model.DataFormat())
		})
	}
	for _, l := range layers {
		switch c := l.Config.(type) {
		case nn.BatchNormalization:
			e := c.Epsilon
			if e == 0 {
				e = 1e-3 // Keras's default
			}
			if e != torchEpsilon {
				epsilon, value = append(epsilon, l.Name), e
			}
		case nn.ZeroPadding2D:
			if p := c.Padding; p[0][0] != p[0][1] || p[1][0] != p[1][1] {
				uneven = append(uneven, l.Name)
			}
		case nn.Conv2D:
			if c.Padding == nn.Same && unevenSame(l, c.Kernel, c.Strides) {
				uneven = append(uneven, l.Name)
			}
		case nn.MaxPooling2D:
			if c.Padding == nn.Same && unevenSame(l, c.Pool, c.Strides) {
				uneven = append(uneven, l.Name)
			}
		}
	}
	var out []string
	if len(epsilon) > 0 {
		out = append(out, fmt.Sprintf("batch normalization has epsilon %g in %s, PyTorch's default is %g: results differ slightly if the file's network had that",
			value, some(epsilon), torchEpsilon))
	}
	if len(uneven) > 0 {
		out = append(out, fmt.Sprintf(`padding is more below and to the right in %s, PyTorch's is the same on all sides: results differ if the file's network had that`, some(uneven)))
	}
	return out
}

// unevenSame says whether Keras's padding of images of this shape differs from half the window on each side.
func unevenSame(in nn.Shape, window, strides [2]int, format nn.DataFormat) bool {
	if len(in) != 3 {
		return false
	}
	h, w, _ := format.Axes()
	for i, n := range [2]int{in[h-1], in[w-1]} {
		k, s := max(window[i], 1), max(strides[i], 1)
		total := max((((n+s-1)/s)-1)*s+k-n, 0)
		if k > 1 && s > 1 && (total%2 != 0 || total/2 != (k-1)/2) {
			return true
		}
	}
	return false
}

// some names the first and counts the others.
func some(names []string) string {
	if len(names) == 1 {
		return fmt.Sprintf("%q", names[0])
	}
	return fmt.Sprintf("%q and %d more", names[0], len(names)-1)
}
