package enginetest

import (
	"math"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// probe changes one element of each input that graph.Elementwise lets a result be written over. No other element of
// that result may change: it would be read after it was overwritten.
func probe(s *graph.Step, in, out []op.Array) error {
	for k := range out {
		for j := range in {
			x, ok := in[j].Data.([]float64)
			if !ok || !graph.Elementwise(s.Instr, k, j) {
				continue
			}
			y := out[k].Data.([]float64)
			if len(x) != len(y) {
				continue // the memory plan asks for equal sizes as well
			}
			at := len(x) / 2
			changed := append([]op.Array(nil), in...)
			changed[j] = clone(in[j])
			changed[j].Data.([]float64)[at] += 0.75
			again, err := expand(s, changed)
			if err != nil {
				return err
			}
			for i, v := range again[k].Data.([]float64) {
				if i != at && v != y[i] && !(math.IsNaN(v) && math.IsNaN(y[i])) {
					return unsound("element %d of result %d depends on element %d of input %d, which Elementwise denies", i, k, at, j)
				}
			}
		}
	}
	return nil
}
