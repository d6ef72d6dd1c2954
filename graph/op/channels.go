package op

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/shape"
)

// channelView is a tensor seen as (outer, channels, inner): element (i, c, j) lies at (i·channels + c)·inner + j.
type channelView struct{ outer, channels, inner int }

// perChannel is the number of elements a channel has.
func (v channelView) perChannel() int { return v.outer * v.inner }

// viewChannels splits s at axis; Infer has checked both.
func viewChannels(s tensor.Shape, axis int) channelView {
	if axis < 0 {
		axis += len(s)
	}
	return channelView{Len(s[:axis]), s[axis], Len(s[axis+1:])}
}

// wantChannels checks that input i has two axes or more, one of them axis.
func wantChannels(o Op, in []tensor.Shape, i, axis int) (channelView, error) {
	dims := len(in[i])
	if dims < 2 {
		return channelView{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: "an input of two axes or more",
			Got: shape.Format(in[i]), Shapes: in, Remedy: "give it a batch axis and a channel axis"}
	}
	if err := wantFull(o, in, i, "an input"); err != nil {
		return channelView{}, err
	}
	if axis < -dims || axis >= dims {
		return channelView{}, &shape.Error{Op: o.Kind(), Axis: shape.NoAxis, Wanted: fmt.Sprintf("Axis between %d and %d", -dims, dims-1),
			Got: fmt.Sprint(axis), Shapes: in, Remedy: "use -1 for channels last, 1 for channels first"}
	}
	return viewChannels(in[i], axis), nil
}

// wantPerChannel checks that the given inputs are vectors with one element a channel of input `of`.
func wantPerChannel(o Op, in []tensor.Shape, of, axis int, inputs ...channelInput) error {
	v, err := wantChannels(o, in, of, axis)
	if err != nil {
		return err
	}
	for _, p := range inputs {
		err := wantShape(o, in, p.index, tensor.Shape{v.channels}, p.what,
			fmt.Sprintf("it has one element a channel, and axis %d of input %d has the channels", axis, of))
		if err != nil {
			return err
		}
	}
	return nil
}

// channelInput is the index and the name of an input with one element a channel.
type channelInput struct {
	index int
	what  string
}
