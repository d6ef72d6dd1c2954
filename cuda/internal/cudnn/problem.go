// Package cudnn convolves with NVIDIA's cuDNN 9, through its graph API ("backend API"). cuDNN is looked for and loaded at run
// time. Without the tag gpu the package only knows how to put a convolution to it.
package cudnn

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// ErrUnsupported says that cuDNN has no engine for a convolution; another way to compute it must be taken.
var ErrUnsupported = errors.New("cuda: cuDNN has no engine for this convolution")

// Unique identifiers of tensors.
const (
	uidX = 1 + iota
	uidW
	uidY
	uidBias
	uidConvolved // virtual
	uidBiased    // virtual
	uidSums
	uidSquares
	uidResidual
	uidAdded // virtual
	uidMask
	uidAbove // virtual
	uidZero  // by value
)

// operand describes a tensor. Its extents are in cuDNN's order: batch, channel, row, column.
type operand struct {
	uid           int64
	dtype         int32
	dims, strides []int64
	alignment     int64 // bytes
}

// problem is a convolution in cuDNN's terms.
type problem struct {
	posed
	sums     []operand // of each channel of y and of its squares, or, of a pass for x, of x alone, if they are wanted
	residual *operand  // is added behind the bias, and looks like y
	mask     *operand  // masks x, and looks like it
	selects  bool      // the mask does, where it is above 0, instead of being handed to ReLU's gradient
	repeats  bool      // sums of x are the same in every run
}

// posed is all of a problem but sums, residual, mask and how these are computed. Their texts are kept on disk, so that a further field would make those measured before useless.
type posed struct {
	pass                          kernel.Pass
	x, w, y                       operand
	bias                          *operand
	relu                          bool
	compute                       int32 // type of sums
	pre, post, strides, dilations []int64
	excluded                      []int32 // notes that an engine must not have
}

// excluded are the notes of engines that break a rule of ours for any precision: sums are not rounded below float32, runs
// repeat bit for bit, and an infinity stays where it is instead of making the rest of an image NaN.
var excluded = []int32{noteReducedReduction, noteNondeterministic, noteFFT, noteWinograd13x13}

// pose puts a convolution in cuDNN's terms.
func pose(c *kernel.Convolution) (*problem, error) {
	p := &problem{posed: posed{
		pass: c.Pass, relu: c.ReLU,
		pre: []int64{int64(c.Top), int64(c.Left)}, post: []int64{int64(c.Bottom), int64(c.Right)},
		strides: []int64{int64(c.Stride[0]), int64(c.Stride[1])}, dilations: []int64{int64(c.Dilation[0]), int64(c.Dilation[1])},
		excluded: excluded,
	}}
	var images int32 // element type of x, w and y
	switch {
	case c.Dtype == tensor.Float64:
		images, p.compute = dataDouble, dataDouble
	case c.Dtype == tensor.Float32 && c.Rounded:
		images, p.compute = dataBFloat16, dataFloat
	case c.Dtype == tensor.Float32:
		images, p.compute = dataFloat, dataFloat
		// An engine that rounds to half precision says so with this note; those that round to TF32 say only that they use
		// tensor cores.
		p.excluded = append(p.excluded[:len(p.excluded):len(p.excluded)], noteDownConvert)
		if c.Precision == kernel.FP32 {
			p.excluded = append(p.excluded, noteTensorCore, noteWinograd6x6)
		}
	default:
		return nil, fmt.Errorf("%w: elements are %v", ErrUnsupported, c.Dtype)
	}
	groups := max(c.Groups, 1)
	for _, n := range []int{c.N, c.H, c.W, c.C, c.K, c.R, c.S, c.OH, c.OW} {
		if n <= 0 {
			return nil, fmt.Errorf("%w: an extent is %d", ErrUnsupported, n)
		}
	}
	if (c.Bias != nil || c.ReLU) && c.Pass != kernel.Forward {
		return nil, fmt.Errorf("%w: a bias or ReLU of a backward pass", ErrUnsupported)
	}
	if c.Sums != nil && (c.Pass != kernel.Forward && c.Mask == nil || c.ReLU || c.Dtype != tensor.Float32) {
		return nil, fmt.Errorf("%w: sums of a backward pass without a mask, behind a ReLU, or of %v", ErrUnsupported, c.Dtype)
	}
	if c.Residual != nil && (c.Pass != kernel.Forward || c.Sums != nil) {
		return nil, fmt.Errorf("%w: a residual of a backward pass, or with sums", ErrUnsupported)
	}
	if c.Select && c.Mask == nil {
		return nil, fmt.Errorf("%w: a selection without a mask", ErrUnsupported)
	}
	if c.Mask != nil && (c.Pass != kernel.BackwardInput || c.Dtype != tensor.Float32) {
		return nil, fmt.Errorf("%w: a mask of another pass than that for x, or of %v", ErrUnsupported, c.Dtype)
	}
	last := func(uid int64, at kernel.Pointer, n, h, w, ch int) operand { // channels last
		return operand{uid: uid, dtype: images, alignment: aligned(at.Offset), dims: []int64{int64(n), int64(ch), int64(h), int64(w)},
			strides: []int64{int64(h) * int64(w) * int64(ch), 1, int64(w) * int64(ch), int64(ch)}}
	}
	p.x = last(uidX, c.X, c.N, c.H, c.W, c.C)
	p.w = last(uidW, c.Filter, c.K, c.R, c.S, c.C/groups)
	p.y = last(uidY, c.Y, c.N, c.OH, c.OW, c.K)
	if c.Bias != nil {
		b := last(uidBias, *c.Bias, 1, 1, 1, c.K)
		b.dtype = p.compute
		p.bias = &b
	}
	if c.Residual != nil {
		r := last(uidResidual, *c.Residual, c.N, c.OH, c.OW, c.K)
		p.residual = &r
	}
	if c.Mask != nil {
		m := last(uidMask, *c.Mask, c.N, c.H, c.W, c.C)
		p.mask, p.selects = &m, c.Select
	}
	switch {
	case c.Sums != nil && c.Pass == kernel.BackwardInput:
		o := last(uidSums, *c.Sums, 1, 1, 1, c.C)
		o.dtype = p.compute
		p.sums, p.repeats = []operand{o}, true
	case c.Sums != nil:
		for i, uid := range []int64{uidSums, uidSquares} {
			o := last(uid, c.Sums.At(4*int64(i)*int64(c.K)), 1, 1, 1, c.K)
			o.dtype = p.compute
			p.sums = append(p.sums, o)
		}
	}
	return p, nil
}

// virtual is a tensor like the result that exists only within the graph.
func (p *problem) virtual(uid int64) operand {
	v := p.y
	if p.pass == kernel.BackwardInput {
		v = p.x
	}
	v.uid, v.dtype = uid, p.compute
	return v
}

// above says of each element of the mask whether it is above 0; it exists only within the graph.
func (p *problem) above() operand {
	v := p.virtual(uidAbove)
	v.dtype = dataBoolean
	return v
}

// zero is a number on the host, which a graph reads when it is run.
func (p *problem) zero() operand {
	return operand{uid: uidZero, dtype: p.compute, dims: []int64{1, 1, 1, 1}, strides: []int64{1, 1, 1, 1}, alignment: 4}
}

// String tells everything about a problem, and the same of equal ones.
func (p *problem) String() string {
	q, bias := p.posed, "none"
	if q.bias != nil {
		bias = fmt.Sprintf("%+v", *q.bias)
		q.bias = nil
	}
	text := fmt.Sprintf("%+v bias %s", q, bias)
	if p.sums != nil {
		text += fmt.Sprintf(" sums %+v", p.sums)
	}
	if p.residual != nil {
		text += fmt.Sprintf(" residual %+v", *p.residual)
	}
	if p.mask != nil {
		text += fmt.Sprintf(" mask %+v", *p.mask)
	}
	if p.selects {
		text += " that selects"
	}
	if p.repeats {
		text += ", sums the same in every run"
	}
	return text
}

// alignment is what all memory of the engine has, and more than cuDNN asks for.
const alignment = 64

// aligned is the alignment of a place so many bytes into aligned memory.
func aligned(offset int64) int64 {
	if offset == 0 {
		return alignment
	}
	return min(alignment, int64(1)<<bits.TrailingZeros64(uint64(offset)))
}

// excludes names the first of an engine's notes that the problem does not allow.
func (p *problem) excludes(notes []int32) string {
	for _, n := range notes {
		if slices.Contains(p.excluded, n) {
			return named([]int32{n})[0]
		}
	}
	return ""
}

// named are the names of notes.
func named(notes []int32) []string {
	out := make([]string, len(notes))
	for i, n := range notes {
		if out[i] = fmt.Sprintf("note %d", n); int(n) < len(noteNames) {
			out[i] = noteNames[n]
		}
	}
	return out
}
