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
	End    [graph.MostPenalties]uint32
	Count  int64
}

// l2Penalties is a launch for every weight, which become one, and one that adds up what they leave.
func l2Penalties(b *Builder, s *graph.Step) ([]Command, error) {
	o, dt := s.Instr.(*graph.L2Penalties), s.Out[0].Dtype
	p, count := penalties{Count: int64(len(s.In))}, 0
	for i, w := range s.In {
		count += ceilDiv(w.Len(), part)
		p.Lambda[i], p.End[i] = o.Lambdas[i], uint32(count)
	}
	size := int64(dt.Size())
	parts, at := b.Scratch(int64(count)*size), int64(0)
	var all []Command
	for i, w := range s.In {
		if n := w.Len(); n > 0 {
			all = append(all, &Launch{Source: updateSources[dt], Name: "l2_parts", Grid: Dim3{X: ceilDiv(n, part)}, Block: Dim3{X: threads},
				Args: []any{parts.At(at * size), In(i), int64(n)}})
		}
		at = int64(p.End[i])
	}
	return append(all, &Launch{Source: updateSources[dt], Name: "l2_join", Grid: Dim3{X: 1}, Block: Dim3{X: threads},
		Args: []any{Out(0), parts, structOf(p)}}), nil
}
