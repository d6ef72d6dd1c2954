// Package shape does the arithmetic of tensor shapes: window geometry with Keras's padding rules, axes, and the one
// typed error that every shape mistake is reported with.
package shape

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/tensor"
)

// NoAxis says that an [Error] concerns a whole shape and no single axis.
const NoAxis = -1

// Error says that an operation or a layer cannot take the shapes it was given. It is made before anything runs.
type Error struct {
	Op     string         // operation or layer class, e.g. "Conv2D"
	Node   string         // name of the layer or node concerned, "" when not known yet
	Axis   int            // the offending axis, or NoAxis
	Wanted string         // what was expected there, e.g. "64 input channels"
	Got    string         // what was found, e.g. "32"
	Shapes []tensor.Shape // the input shapes, in the order of the operation's inputs
	Inputs []string       // names of the inputs, where known, same order
	Remedy string         // what the caller can do about it
}

// Error prints the mistake on one line and the shapes and the remedy on a second.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("op: ")
	b.WriteString(e.Op)
	if e.Node != "" {
		fmt.Fprintf(&b, " %q", e.Node)
	}
	fmt.Fprintf(&b, ": want %s, got %s", e.Wanted, e.Got)
	if e.Axis != NoAxis {
		fmt.Fprintf(&b, " on axis %d", e.Axis)
	}
	for i, s := range e.Shapes {
		if i == 0 {
			b.WriteString("\n    inputs ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(Format(s))
		if i < len(e.Inputs) && e.Inputs[i] != "" {
			fmt.Fprintf(&b, " from %q", e.Inputs[i])
		}
	}
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// MaxBytes bounds the memory of all values of a graph together: what a process can address at the most.
const MaxBytes = min(1<<47, math.MaxInt/4)

// Bytes returns the memory of a tensor of shape s with elements of size bytes; ok is false where an axis is negative or
// the result exceeds MaxBytes.
func Bytes(s tensor.Shape, size int) (n int, ok bool) {
	n = size
	for _, d := range s {
		if d < 0 || d > 0 && n > MaxBytes/d {
			return 0, false
		}
		n *= d
	}
	return n, true
}

// Equal compares two shapes axis by axis. Unlike tensor.Shape.Eq it does not take (1,) for a scalar.
func Equal(a, b tensor.Shape) bool { return slices.Equal(a, b) }

// WithoutOnes is s without its axes of size 1, with which Gorgonia's own operations are careless.
func WithoutOnes(s tensor.Shape) tensor.Shape {
	return slices.DeleteFunc(slices.Clone(s), func(d int) bool { return d == 1 })
}

// EqualButOnes compares two shapes without their axes of size 1.
func EqualButOnes(a, b tensor.Shape) bool { return Equal(WithoutOnes(a), WithoutOnes(b)) }

// Format prints a shape as Keras does: "(2, 3)", "(5,)", "()".
func Format(s tensor.Shape) string {
	switch len(s) {
	case 0:
		return "()"
	case 1:
		return fmt.Sprintf("(%d,)", s[0])
	}
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
