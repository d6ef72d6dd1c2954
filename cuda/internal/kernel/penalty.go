package kernel

import "github.com/stheno-ml/stheno/graph"

func init() {
	registerFloats(map[string]Prepare{(&graph.L2Penalties{}).Kind(): l2Penalties})
}

// part is PART of penalty.cu: the elements of a weight whose squares a block adds up.
const part = 8192

// penalties is struct Penalties of penalty.cu.
type penalties struct {
	Lambda [graph.MostPenalties]float64
	First  [graph.MostPenalties + 1]uint32
	Count  uint32
}

// l2Penalties is a launch for every weight, which become one, and one that adds up what they leave.
func l2Penalties(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*graph.L2Penalties), s.Out[0].Dtype
	p := penalties{Count: uint32(len(s.In))}
	for i, w := range s.In {
		p.Lambda[i] = o.Lambdas[i]
		p.First[i+1] = p.First[i] + uint32(ceilDiv(w.Len(), part))
	}
	size := int64(dt.Size())
	parts := b.Scratch(int64(p.First[len(s.In)]) * size)
	var all []Command
	for i, w := range s.In {
		if n := w.Len(); n > 0 {
			all = append(all, &Launch{Source: updateSources[dt], Name: "l2_parts", Grid: Dim3{X: ceilDiv(n, part)}, Block: Dim3{X: threads},
				Args: []any{parts.At(int64(p.First[i]) * size), In(i), int64(n)}})
		}
	}
	return append(all, &Launch{Source: updateSources[dt], Name: "l2_join", Grid: Dim3{X: 1}, Block: Dim3{X: threads},
		Args: []any{Out(0), parts, structOf(p)}}), nil
}
