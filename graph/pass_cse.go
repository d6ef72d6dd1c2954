package graph

import (
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/graph/ir"
	"github.com/stheno-ml/stheno/internal/shape"
)

// shareCommon computes common subexpressions once. Two steps are the same if their operations print the same, attributes
// included, and their operands are the same values: nothing is decided by a hash alone, unlike in Gorgonia, where that merges
// nodes that differ. Host operations may have effects and are left alone.
func shareCommon(p *program, _ Engine) {
	seen, constants := map[string]*Step{}, map[string]*Value{}
	ids := map[*Value]int{}
	id := func(v *Value) int {
		if k, ok := ids[v]; ok {
			return k
		}
		ids[v] = len(ids)
		return ids[v]
	}
	sweepSteps(p, func(w *sweep, s *Step) {
		for i, v := range s.In {
			if v.Const != nil && v.Len() == 1 {
				key := fmt.Sprint(v.Dtype, v.Shape, v.Const.Data)
				if constants[key] == nil {
					constants[key] = v
				}
				s.In[i] = constants[key]
			}
		}
		if _, host := s.Instr.(*HostOp); host {
			return
		}
		var key strings.Builder
		fmt.Fprint(&key, s.Instr.Kind(), "|", s.Instr)
		switch o := s.Instr.(type) { // those that may move, apart from others of their kind
		case *ir.Slice:
			fmt.Fprintf(&key, "%p", o)
		case *ir.SliceGrad:
			fmt.Fprintf(&key, "%p", o.Slice)
		}
		for _, v := range s.In {
			fmt.Fprint(&key, "|", id(v))
		}
		first := seen[key.String()]
		if first == nil {
			seen[key.String()] = s
			return
		}
		for i, v := range s.Out {
			if u := first.Out[i]; v.Dtype != u.Dtype || !shape.Equal(v.Shape, u.Shape) {
				return
			}
		}
		for i, v := range s.Out {
			w.substitute(v, first.Out[i])
		}
		w.replaced = true
	})
}
