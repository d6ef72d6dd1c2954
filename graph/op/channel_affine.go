package op

import (
	"fmt"
	"hash"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// ChannelAffine is y[…,c,…] = x[…,c,…]·Scale + Shift[c] with constants: input scaling and the subtraction of channel
// means (the rescale_inputs option of the reference ResNet). Input: x of any rank from 1. Result: the shape of x. Axis
// may be negative, to count from the end. Scale is literal, 0 means 0; a nil Shift adds nothing, otherwise its length
// is that of x along Axis.
type ChannelAffine struct {
	ranked
	Axis  int
	Scale float64
	Shift []float64 // (C) or nil
}

func (o *ChannelAffine) Kind() string { return "ChannelAffine" }
func (o *ChannelAffine) String() string {
	return fmt.Sprintf("ChannelAffine(axis %d, scale %v, shift %v)", o.Axis, o.Scale, o.Shift)
}
func (o *ChannelAffine) Arity() int            { return 1 }
func (o *ChannelAffine) WriteHash(h hash.Hash) { writeHash(o, h) }
func (o *ChannelAffine) Hashcode() uint32      { return hashcode(o) }
func (o *ChannelAffine) DiffWRT(int) []bool    { return []bool{true} }

// Do computes the operation for Gorgonia's own machines.
func (o *ChannelAffine) Do(vs ...gorgonia.Value) (gorgonia.Value, error) { return do(o, vs) }

// InferShape is Infer in Gorgonia's terms.
func (o *ChannelAffine) InferShape(ds ...gorgonia.DimSizer) (tensor.Shape, error) {
	return inferShape(o, ds)
}

// Infer returns the shape of x.
func (o *ChannelAffine) Infer(in []tensor.Shape) (tensor.Shape, error) {
	axis, err := channelAxis(o, in, 0, o.Axis)
	if err != nil {
		return nil, err
	}
	if o.Shift != nil && len(o.Shift) != in[0][axis] {
		return nil, &shape.Error{Op: o.Kind(), Axis: axis, Wanted: fmt.Sprintf("%d channels, one for each Shift", len(o.Shift)),
			Got: fmt.Sprint(in[0][axis]), Shapes: in, Remedy: "correct Axis or the length of Shift"}
	}
	return in[0].Clone(), nil
}

// SymDiff returns dy·Scale.
func (o *ChannelAffine) SymDiff(_ gorgonia.Nodes, _, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	return grads(Apply(&ChannelAffine{Axis: o.Axis, Scale: o.Scale}, dy))
}

// Reference computes the operation with plain loops, in float64, rounding once.
func (o *ChannelAffine) Reference(out Array, in []Array) error {
	y, x := make([]float64, Len(out.Shape)), wide(in[0])
	eachChannelRun(in[0].Shape, o.Axis, func(c, from, to int) {
		shift := 0.0
		if o.Shift != nil {
			shift = o.Shift[c]
		}
		for i := from; i < to; i++ {
			y[i] = x[i]*o.Scale + shift
		}
	})
	store(out, y)
	return nil
}
