// Package op holds Stheno's operations: exported structs that implement gorgonia.Op and gorgonia.SDOp, so that they
// work in any Gorgonia program, with any of its machines, and can be recognised and replaced by fast kernels when
// package graph compiles the finished graph.
//
// Every operation is a pure function of its inputs. Batch statistics are values, randomness is a function of a step
// number, and an optimizer's state is read and returned, never hidden. [Apply] puts an operation into a graph.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Op is what every operation of this package implements. Its String must print every attribute: two operations of the
// same Kind and String are interchangeable.
type Op interface {
	gorgonia.SDOp

	// Kind is the operation's name in plans and kernel tables, e.g. "Conv2D".
	Kind() string
	// Infer returns the shape of the result for the given input shapes, or a *shape.Error.
	Infer(in []tensor.Shape) (tensor.Shape, error)
	// Reference computes out from in with plain loops, for float32 and float64. The shapes have been checked by Infer;
	// out is dense, row-major, not zeroed, and never shares memory with an input.
	Reference(out Array, in []Array) error

	// intInput says whether input i is of integers: class labels, the step number; byteInput whether it is of bytes. All others
	// are of one float type.
	intInput(i int) bool
	byteInput(i int) bool
	// resultType is the result's element type for the first input's.
	resultType(first tensor.Dtype) tensor.Dtype

	salter
}

// Update is an assignment that takes effect after a step: Target, a variable of the graph, takes the value of New.
// Optimizers and the running averages of batch normalization are expressed with it.
type Update struct {
	Target, New *gorgonia.Node
}

// salter is implemented by embedding salted; see Apply for what the salt is for.
type salter interface {
	salt() uint32
	setSalt(uint32)
}

// salted is embedded in every operation.
type salted struct{ value uint32 }

func (s *salted) salt() uint32      { return s.value }
func (s *salted) setSalt(v uint32)  { s.value = v }
func (s *salted) intInput(int) bool { return false }

func (s *salted) byteInput(int) bool                         { return false }
func (s *salted) resultType(first tensor.Dtype) tensor.Dtype { return first }

// ReturnsPtr says that results are tensors of their own.
func (s *salted) ReturnsPtr() bool { return true }

// CallsExtern is false: the reference kernels are Go.
func (s *salted) CallsExtern() bool { return false }

// OverwritesInput is -1: in-place reuse is decided by the memory plan, not by the operation.
func (s *salted) OverwritesInput() int { return -1 }

func writeHash(o Op, h hash.Hash) {
	fmt.Fprintf(h, "stheno.%s|%s", o.Kind(), o)
	if s := o.salt(); s != 0 {
		fmt.Fprintf(h, "|salt%d", s)
	}
}

func hashcode(o Op) uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// Equal says whether two operations are the same function.
func Equal(a, b Op) bool { return a.Kind() == b.Kind() && a.String() == b.String() }

// typeVar is the type variable 'a' of Gorgonia's signatures: the element type that arguments and result share, or the
// whole type where all have the same.
func typeVar() hm.TypeVariable { return hm.TypeVariable('a') }

// tensorType is Tensor-d a, or plain a for a scalar, as Gorgonia spells it.
func tensorType(dims int) hm.Type { return typeOf(dims, typeVar()) }

func typeOf(dims int, of hm.Type) hm.Type {
	if dims == 0 {
		return of
	}
	return gorgonia.TensorType{Dims: dims, Of: of}
}

// anyType is the type of an argument whose number of axes differs from that of the first, where only Infer can tell
// what it must be. It is not 'b', which Gorgonia itself uses for the result it looks for.
func anyType() hm.TypeVariable { return hm.TypeVariable('c') }

// signature is t0 → t1 → … A new one must be built on every call: Gorgonia returns it to a pool after use.
func signature(types ...hm.Type) hm.Type { return hm.NewFnType(types...) }

// sameType is a → a → … → a with n arguments: all inputs and the result have one type.
func sameType(n int) hm.Type {
	ts := make([]hm.Type, n+1)
	for i := range ts {
		ts[i] = typeVar()
	}
	return hm.NewFnType(ts...)
}

// grads wraps the gradient of an operation's only differentiable input.
func grads(n *gorgonia.Node, err error) (gorgonia.Nodes, error) {
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{n}, nil
}
