package nn

import (
	"errors"
	"fmt"
	"strings"
)

// Kinds of mistakes, for errors.Is on what this package returns.
var (
	// ErrShape: a layer cannot take its inputs' shapes.
	ErrShape = errors.New("nn: shape mistake")
	// ErrArgument: a field of a layer or of a configuration is out of range or unknown.
	ErrArgument = errors.New("nn: bad argument")
	// ErrDuplicateName: two layers of a model have one name.
	ErrDuplicateName = errors.New("nn: duplicate layer name")
	// ErrNilTensor: a tensor or layer is nil.
	ErrNilTensor = errors.New("nn: nil tensor or layer")
	// ErrForeignTensor: a tensor was made by another builder, or a node belongs to another graph.
	ErrForeignTensor = errors.New("nn: tensor of another builder")
	// ErrUnconnected: the output does not depend on the input, or on more than it.
	ErrUnconnected = errors.New("nn: unconnected")
	// ErrUninitialized: the weights have no values yet.
	ErrUninitialized = errors.New("nn: uninitialized weights")
)

// Error is a mistake in the description or the building of a model. It prints what happened, the inputs concerned and
// a remedy, and the line of the program where the layer was added.
type Error struct {
	Kind    error  // one of the Err… variables: errors.Is(err, nn.ErrShape)
	Class   string // the layer's class, e.g. "Conv2D", or "Model"
	Layer   string // the layer's name
	Problem string // what happened and what was expected
	Inputs  string // shapes, layouts and origins of the inputs
	Remedy  string // what to do
	Site    string // "dir/file.go:line" of the call that added the layer, where known
	Cause   error  // the error below, if any
}

// Error prints two or three lines.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("nn: ")
	if e.Class != "" {
		b.WriteString(e.Class)
		if e.Layer != "" {
			fmt.Fprintf(&b, " %q", e.Layer)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if second := join("; ", e.Inputs, e.Remedy); second != "" {
		b.WriteString("\n    " + second)
	}
	if e.Site != "" {
		b.WriteString("\n    at " + e.Site)
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

func join(sep string, parts ...string) string {
	var full []string
	for _, p := range parts {
		if p != "" {
			full = append(full, p)
		}
	}
	return strings.Join(full, sep)
}

// badShape and badArgument are what layers return; the builder adds the layer, its inputs and the call site.
func badShape(remedy, format string, args ...any) error {
	return &Error{Kind: ErrShape, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
}

func badArgument(remedy, format string, args ...any) error {
	return &Error{Kind: ErrArgument, Problem: fmt.Sprintf(format, args...), Remedy: remedy}
}
