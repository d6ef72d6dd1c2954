package onnx

import (
	"fmt"
	"sort"
	"strings"
)

// FormatError says that a file is not a valid ONNX model: where, what the format asks for at that place, and what stands there.
type FormatError struct {
	Path     string // the file; empty when the bytes came from elsewhere
	Offset   int64  // byte in the file at which the rule is broken
	Expected string
	Found    string
}

// Error is a single line that holds all four fields.
func (e *FormatError) Error() string {
	return fmt.Sprintf("onnx: %s: byte %d: expected %s, found %s", orName(e.Path), e.Offset, e.Expected, e.Found)
}

func orName(path string) string {
	if path == "" {
		return "model"
	}
	return path
}

// GraphError says what is wrong with the graph of a model, or why a graph cannot be made of one of its nodes.
type GraphError struct {
	Path    string // the file, where known
	Node    string // the node concerned, as `Conv "name"`, or the value
	Problem string // what happened and what was expected
	Remedy  string // what can be done
	Cause   error  // the error below, if any
}

// Error prints one or two lines.
func (e *GraphError) Error() string {
	s := "onnx: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	if e.Node != "" {
		s += e.Node + ": "
	}
	s += e.Problem
	if e.Remedy != "" {
		s += "\n    " + e.Remedy
	}
	return s
}

// Unwrap returns the error below.
func (e *GraphError) Unwrap() error { return e.Cause }

// UnsupportedError lists all operations of a model that this package does not know, and how often each occurs.
type UnsupportedError struct {
	Path string
	Ops  map[string]int // "Loop", or "com.microsoft.FusedConv" outside of ONNX's own domain
}

// Error names the operations in alphabetical order.
func (e *UnsupportedError) Error() string {
	names := make([]string, 0, len(e.Ops))
	total := 0
	for op, n := range e.Ops {
		names = append(names, fmt.Sprintf("%s (%d)", op, n))
		total += n
	}
	sort.Strings(names)
	nodes := "nodes"
	if total == 1 {
		nodes = "node"
	}
	return fmt.Sprintf("onnx: %s: %d %s of operations that are not supported: %s\n    simplify the model before, or export it without them",
		orName(e.Path), total, nodes, strings.Join(names, ", "))
}
