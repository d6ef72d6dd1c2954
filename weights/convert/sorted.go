package convert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights"
)

// sorted says whether the tensors stand in the order of their names and not in the network's: the usual writers of safetensors sort them.
func (s *Source) sorted() bool {
	return s.Format == "safetensors" && len(s.Tensors) > 2 && slices.IsSortedFunc(s.Tensors, func(a, b weights.Tensor) int { return strings.Compare(a.Name, b.Name) })
}

// lastParts are what PyTorch's networks call what stands behind everything else.
var lastParts = map[string]bool{"classifier": true, "head": true, "fc": true, "linear": true}

// counted puts the tensors of a sorted file back into the order in which nn.Sequential counts its modules, 2 before 10, a classifier last.
// ok is false where names differ by more than that, so that they do not tell the order.
func (s *Source) counted() (out *Source, ok bool) {
	copied := *s
	copied.Tensors = slices.Clone(s.Tensors)
	ok = true
	slices.SortStableFunc(copied.Tensors, func(a, b weights.Tensor) int {
		moduleA, _ := split(a.Name)
		moduleB, _ := split(b.Name)
		x, y := strings.Split(moduleA, "."), strings.Split(moduleB, ".")
		for i := range min(len(x), len(y)) {
			if x[i] == y[i] {
				continue
			}
			n, err := strconv.Atoi(x[i])
			m, err2 := strconv.Atoi(y[i])
			switch {
			case err == nil && err2 == nil:
				return cmp.Compare(n, m)
			case i == 0 && lastParts[x[i]] != lastParts[y[i]]:
				return map[bool]int{true: 1, false: -1}[lastParts[x[i]]]
			}
			ok = false
			return strings.Compare(x[i], y[i])
		}
		return cmp.Compare(len(x), len(y))
	})
	return &copied, ok
}
