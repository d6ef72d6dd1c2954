package graph

import (
	"fmt"
	"unsafe"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Instr is the operation of a step: one of package op or package ir, a fused one of this package (fused.go), or a
// [HostOp].
// Kind names it in kernel tables, String prints it with its attributes.
type Instr interface {
	Kind() string
	String() string
}

// Where says where the memory of a value is.
type Where uint8

const (
	// Arena values live inside the engine's arena, at Offset.
	Arena Where = iota
	// External values are bound from outside: inputs, variables, constants, outputs.
	External
)

// Value is one tensor that a plan reads or writes.
type Value struct {
	ID    int
	Name  string
	Shape tensor.Shape
	Dtype tensor.Dtype
	Node  *gorgonia.Node // the node it is the value of; nil when a pass made it

	Input      bool      // fed from outside before every run; variables are inputs with an update
	Const      *op.Array // the value of a constant
	Variable   bool      // an update writes it
	Resident   bool      // an input that stays as it is from run to run, see WithResident
	Fixed      bool      // the same in every run: a constant, a resident input, or the result of a step that is Once
	unchanging bool      // resident, and not to be looked at again, see WithConstants
	lasts      bool      // the result of a step that is Once, which steps of later runs read
	Output     bool      // asked for by the caller: keeps memory of its own
	soft       bool      // left bound to its node if it is computed; passes may fuse it away
	head       bool      // soft, and worth a step of its own if nothing but its node asks for it

	source func() (gorgonia.Value, error) // where an input's value comes from if not from Node

	// Set by the memory plan.
	Where  Where
	Offset int    // byte offset in the arena
	Alias  *Value // this value shares the memory of Alias (a view, an in-place result, an updated variable)
	Narrow bool   // of float32 that is kept in memory as bfloat16; see [Narrower]
	// Transposed says that it is kept in memory with its last axis first; see [Transposer].
	Transposed bool
}

// Len is the number of elements.
func (v *Value) Len() int { return op.Len(v.Shape) }

// Bytes is the size of the value.
func (v *Value) Bytes() int { return v.Len() * int(v.Dtype.Size()) }

// StoredBytes is the memory that the value takes.
func (v *Value) StoredBytes() int {
	if v.Narrow {
		return v.Bytes() / 2
	}
	return v.Bytes()
}

// Unchanging says that it is an input of which [WithConstants] says that it never changes.
func (v *Value) Unchanging() bool { return v.unchanging }

// Lasts says that steps of later runs read its memory, which a step that is Once has written.
func (v *Value) Lasts() bool { return v.lasts }

// Root follows aliases to the value that owns the memory.
func (v *Value) Root() *Value {
	for v.Alias != nil {
		v = v.Alias
	}
	return v
}

func (v *Value) String() string { return fmt.Sprintf("%%%d", v.ID) }

// Step is one operation of a plan.
type Step struct {
	Instr Instr
	In    []*Value
	Out   []*Value
	// Once says that the results are the same in every run until resident inputs change: nothing else goes into them. Such steps come
	// before all others. There are none in plans for an engine that is no [Keeper].
	Once bool
	// Beside is the number of steps behind this one that may begin before it ends: see [Overlapper].
	Beside int

	rank int // creation order of the node in the expression graph: the tie-break of the schedule
}

// Assign is an update of a plan: Target takes New's value. When New's memory is Target's own (Value.Alias), nothing is
// left to do after the steps; otherwise the program copies.
type Assign struct{ Target, New *Value }

// Plan is a compiled graph: what an engine builds a program from. It is not changed any more once an engine has it.
type Plan struct {
	Steps   []*Step
	Values  []*Value // all values, Values[i].ID == i
	Inputs  []*Value // inputs, variables included
	Outputs []*Value // in the order asked for
	Assigns []Assign

	ArenaBytes int       // size of the arena, known before anything runs
	Recompute  Recompute // what the backward pass computes again

	kept    []*Value // besides outputs, values that are left bound to their nodes
	slices  map[unsafe.Pointer]*movingSlice
	counter *gorgonia.I // counts the runs, if anything depends on that
}

// PeakBytes is the memory that a program of this plan holds for values, known before anything runs: the arena, and what is
// bound from outside, which is the inputs with the variables, the constants and the outputs. Views and what is updated in
// place count once, with the memory that they share. It is all there from the first run to the last and does not grow. Not in
// it are an engine's own needs, such as the working memory of kernels and of matrix products and packed weights, and what several
// programs share: weights that two plans are bound to are counted by both.
func (p *Plan) PeakBytes() int {
	n := p.ArenaBytes
	for _, v := range p.Values {
		if v.Where == External && v.Alias == nil {
			n += v.Bytes()
		}
	}
	return n
}
