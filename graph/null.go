package graph

import (
	"errors"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Null is the engine that computes nothing: it takes every plan, so that shapes, fusions and bytes of a net can be
// looked at on any machine in no time.
type Null struct{}

// ErrNull is what running a program of the null engine returns.
var ErrNull = errors.New("graph: the null engine plans and does not compute; compile for \"cpu\" to run")

func init() {
	Register("null", func(string, Config) (Engine, error) { return Null{}, nil })
}

// Name is "null".
func (Null) Name() string { return "null" }

// Fuses is true: the null engine shows what a capable engine would get.
func (Null) Fuses(string, tensor.Dtype) bool { return true }

// InPlace is what the operations allow.
func (Null) InPlace(instr Instr, _ tensor.Dtype, out, in int) bool {
	return Elementwise(instr, out, in)
}

// Keeps is true for the weights of convolutions and products, as of an engine that packs them.
func (Null) Keeps(instr Instr, _ tensor.Dtype, in int) bool { return Weights(instr, in) }

// Build accepts every plan.
func (Null) Build(*Plan) (Program, error) { return nullProgram{}, nil }

// Wrap returns a buffer without memory.
func (Null) Wrap(op.Array) (Buffer, error) { return nullBuffer{}, nil }

// Close does nothing.
func (Null) Close() error { return nil }

type nullProgram struct{}

func (nullProgram) Bind(*Value, Buffer) error { return nil }
func (nullProgram) Run() error                { return ErrNull }
func (nullProgram) Close() error              { return nil }

type nullBuffer struct{}

func (nullBuffer) Upload(op.Array) error   { return nil }
func (nullBuffer) Download(op.Array) error { return nil }
func (nullBuffer) Close() error            { return nil }
