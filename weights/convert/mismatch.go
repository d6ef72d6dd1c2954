package convert

import (
	"fmt"
	"strings"
)

// Difference is a tensor or weight that has no counterpart, or one that does not fit.
type Difference struct {
	Kind   string // "missing", "unexpected", "shape" or "type"
	Weight string // name of the weight, "" if unexpected
	Tensor string // name of the tensor, "" if missing
	Wanted []int  // shape of the weight, as the file would have it
	Got    []int  // shape of the tensor
	Type   string // dtype of the tensor
}

// String is one line.
func (d Difference) String() string {
	switch d.Kind {
	case "missing":
		return fmt.Sprintf("missing     %s: the file has nothing for it, wanted %v", d.Weight, d.Wanted)
	case "unexpected":
		return fmt.Sprintf("unexpected  %s %v: the network has no such weight", d.Tensor, d.Got)
	case "type":
		return fmt.Sprintf("type        %s: wanted floats, got %s of %q", d.Weight, d.Type, d.Tensor)
	}
	return fmt.Sprintf("shape       %s: wanted %v, got %v of %q", d.Weight, d.Wanted, d.Got, d.Tensor)
}

// MismatchError says that a file's tensors are not a network's weights, one by one. Nothing was changed.
type MismatchError struct {
	Path, Model string
	Rule        Rule // that came nearest
	Matched     int
	Weights     int // of the network
	Tensors     int // of the file
	Differences []Difference
	Classes     int    // where all that differs is the number of outputs of the last layer: what the file has; else 0
	Remedy      string // what to do
}

// Error lists every difference.
func (e *MismatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "convert: %s does not fit %s: %d of %d weights matched, by %s; the file has %d tensors", e.Path, e.Model, e.Matched, e.Weights, e.Rule, e.Tensors)
	for _, d := range e.Differences {
		b.WriteString("\n    " + d.String())
	}
	if e.Remedy != "" {
		b.WriteString("\n    " + e.Remedy)
	}
	return b.String()
}
