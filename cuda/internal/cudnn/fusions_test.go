//go:build gpu && cgo && linux

package cudnn

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/stheno-ml/stheno/cuda/internal/kernel"
)

// Constants of cudnn_graph.h that only this test uses.
const (
	kindFinalize  = 20 // CUDNN_BACKEND_OPERATION_BN_FINALIZE_STATISTICS_DESCRIPTOR
	kindBNWeights = 23 // CUDNN_BACKEND_OPERATION_BN_BWD_WEIGHTS_DESCRIPTOR

	typeFinalizeMode = 17 // CUDNN_TYPE_BN_FINALIZE_STATS_MODE

	pointwiseMul = 1 // CUDNN_POINTWISE_MUL
	pointwiseSub = 9 // CUDNN_POINTWISE_SUB

	dataHalf  = 2    // CUDNN_DATA_HALF
	dataInt64 = 10   // CUDNN_DATA_INT64
	finalize  = 780  // CUDNN_ATTR_OPERATION_BN_FINALIZE_STATS_MODE, then MATH_PREC and 15 tensors
	bnWeights = 1620 // CUDNN_ATTR_OPERATION_BN_BWD_WEIGHTS_MATH_PREC, then 10 tensors
)

// sketch draws a graph: a convolution of 3×3 with 64 channels and filters over images of 56×56, batch 64, and what is around it.
type sketch struct {
	*builder
	h     *Handle
	dtype int32
	uid   int64
	ops   []unsafe.Pointer
}

func (s *sketch) new(dims []int64, dtype int32, virtual bool, more ...attribute) unsafe.Pointer {
	s.uid++
	o := operand{uid: s.uid, dtype: dtype, dims: dims, alignment: alignment,
		strides: []int64{dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]}}
	return s.make(kindTensor, append([]attribute{ints(tensorUID, o.uid), enum(tensorType, typeDataType, o.dtype), ints(tensorDims, o.dims...),
		ints(tensorStrides, o.strides...), ints(tensorAlignment, o.alignment), values(tensorVirtual, typeBoolean, virtual)}, more...)...)
}

func (s *sketch) image() unsafe.Pointer   { return s.new([]int64{64, 64, 56, 56}, s.dtype, false) }
func (s *sketch) filter() unsafe.Pointer  { return s.new([]int64{64, 64, 3, 3}, s.dtype, false) }
func (s *sketch) virtual() unsafe.Pointer { return s.new([]int64{64, 64, 56, 56}, dataFloat, true) }
func (s *sketch) vector() unsafe.Pointer  { return s.new([]int64{1, 64, 1, 1}, dataFloat, false) }
func (s *sketch) value(dtype int32) unsafe.Pointer {
	return s.new([]int64{1, 1, 1, 1}, dtype, false, values(tensorByValue, typeBoolean, true))
}

func (s *sketch) op(kind int, attributes ...attribute) {
	s.ops = append(s.ops, s.make(kind, attributes...))
}

func (s *sketch) conv(pass kernel.Pass, x, w, y unsafe.Pointer) {
	one := []int64{1, 1}
	c := s.make(kindConvolution, enum(convCompute, typeDataType, dataFloat), enum(convMode, typeConvolutionMode, crossCorrelation), ints(convSpatial, 2),
		ints(convPre, one...), ints(convPost, one...), ints(convStrides, one...), ints(convDilations, one...))
	at := map[kernel.Pass][7]int{
		kernel.Forward:        {kindForward, forwardAlpha, forwardBeta, forwardConv, forwardW, forwardX, forwardY},
		kernel.BackwardInput:  {kindBackwardData, dataAlpha, dataBeta, dataConv, dataW, dataDX, dataDY},
		kernel.BackwardFilter: {kindBackwardFilter, filterAlpha, filterBeta, filterConv, filterDW, filterX, filterDY},
	}[pass]
	s.op(at[0], values(at[1], typeFloat, float32(1)), values(at[2], typeFloat, float32(0)), descriptors(at[3], c), descriptors(at[4], w), descriptors(at[5], x), descriptors(at[6], y))
}

// pointwise is y ← x∘b; b may be nil.
func (s *sketch) pointwise(mode int32, x, b, y unsafe.Pointer) unsafe.Pointer {
	attributes := []attribute{descriptors(pointwiseOp, s.mode(mode)), descriptors(pointwiseX, x), descriptors(pointwiseY, y)}
	if b != nil {
		attributes = append(attributes, descriptors(pointwiseB, b))
	}
	s.op(kindPointwiseOp, attributes...)
	return y
}

func (s *sketch) mode(mode int32) unsafe.Pointer {
	return s.make(kindPointwise, enum(pointwiseMode, typePointwiseMode, mode), enum(pointwiseMath, typeDataType, dataFloat))
}

func (s *sketch) reluGrad(y, dy, dx unsafe.Pointer) {
	s.op(kindPointwiseOp, descriptors(pointwiseOp, s.mode(pointwiseReLUGrad)), descriptors(pointwiseX, y), descriptors(pointwiseDY, dy), descriptors(pointwiseDX, dx))
}

func (s *sketch) statistics(x unsafe.Pointer) {
	s.op(kindStatistics, enum(statisticsMode, typeStatisticsMode, sumsAndSquares), enum(statisticsMath, typeDataType, dataFloat),
		descriptors(statisticsX, x), descriptors(statisticsSum, s.vector()), descriptors(statisticsSquares, s.vector()))
}

// selected is (y > 0) ? dy : 0 of a ReLU's result y.
func (s *sketch) selected(dy unsafe.Pointer) unsafe.Pointer {
	zero, dx := s.value(dataFloat), s.image()
	above := s.pointwise(pointwiseGreater, s.image(), zero, s.new([]int64{64, 64, 56, 56}, dataBoolean, true))
	s.op(kindPointwiseOp, descriptors(pointwiseOp, s.mode(pointwiseSelect)), descriptors(pointwiseX, dy), descriptors(pointwiseB, zero), descriptors(pointwiseT, above), descriptors(pointwiseY, dx))
	return dx
}

func (s *sketch) sums(x unsafe.Pointer, more ...attribute) {
	adds := s.make(kindReduction, append(more, enum(reductionMode, typeReductionMode, reduceAdd), enum(reductionMath, typeDataType, dataFloat))...)
	s.op(kindReductionOp, descriptors(reductionX, x), descriptors(reductionY, s.vector()), descriptors(reductionOp, adds))
}

// scaled is relu(x·scale+bias), virtual, in the type that a convolution reads.
func (s *sketch) scaled() unsafe.Pointer {
	x := s.pointwise(pointwiseMul, s.image(), s.vector(), s.virtual())
	return s.pointwise(pointwiseReLU, s.pointwise(pointwiseAdd, x, s.vector(), s.virtual()), nil, s.new([]int64{64, 64, 56, 56}, s.dtype, true))
}

var fusions = []struct {
	name string
	draw func(s *sketch)
}{
	{"convolution + bias", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.Forward, s.image(), s.filter(), v)
		s.pointwise(pointwiseAdd, v, s.vector(), s.image())
	}},
	{"convolution + bias + ReLU", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.Forward, s.image(), s.filter(), v)
		s.pointwise(pointwiseReLU, s.pointwise(pointwiseAdd, v, s.vector(), s.virtual()), nil, s.image())
	}},
	{"convolution + bias + residual + ReLU", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.Forward, s.image(), s.filter(), v)
		v = s.pointwise(pointwiseAdd, s.pointwise(pointwiseAdd, v, s.vector(), s.virtual()), s.image(), s.virtual())
		s.pointwise(pointwiseReLU, v, nil, s.image())
	}},
	{"convolution + statistics", func(s *sketch) {
		y := s.image()
		s.conv(kernel.Forward, s.image(), s.filter(), y)
		s.statistics(y)
	}},
	{"convolution + copy + statistics", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.Forward, s.image(), s.filter(), v)
		s.statistics(s.pointwise(pointwiseCopy, v, nil, s.image()))
	}},
	{"convolution + bias + statistics", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.Forward, s.image(), s.filter(), v)
		s.statistics(s.pointwise(pointwiseAdd, v, s.vector(), s.image()))
	}},
	{"scale + bias + ReLU + convolution", func(s *sketch) { s.conv(kernel.Forward, s.scaled(), s.filter(), s.image()) }},
	{"scale + bias + ReLU + convolution + statistics", func(s *sketch) {
		y := s.image()
		s.conv(kernel.Forward, s.scaled(), s.filter(), y)
		s.statistics(y)
	}},
	{"backward input + ReLU gradient", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.BackwardInput, v, s.filter(), s.image())
		s.reluGrad(s.image(), v, s.image())
	}},
	{"backward input + selection", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.BackwardInput, v, s.filter(), s.image())
		s.selected(v)
	}},
	{"backward input + selection + sums in any order", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.BackwardInput, v, s.filter(), s.image())
		s.sums(s.selected(v))
	}},
	{"backward input + selection + sums, the same in every run", func(s *sketch) {
		v := s.virtual()
		s.conv(kernel.BackwardInput, v, s.filter(), s.image())
		s.sums(s.selected(v), values(reductionRepeat, typeBoolean, true))
	}},
	{"backward input + ReLU gradient + batch-norm weight gradients", func(s *sketch) {
		dx := s.virtual()
		s.conv(kernel.BackwardInput, dx, s.filter(), s.image())
		x, mean, invstd, scale, bias, dy := s.image(), s.vector(), s.vector(), s.vector(), s.vector(), s.image()
		v := s.pointwise(pointwiseMul, s.pointwise(pointwiseSub, x, mean, s.virtual()), invstd, s.virtual())
		v = s.pointwise(pointwiseAdd, s.pointwise(pointwiseMul, v, scale, s.virtual()), bias, s.virtual())
		s.reluGrad(v, dx, dy)
		attributes := []attribute{enum(bnWeights, typeDataType, dataFloat)}
		for i, t := range []unsafe.Pointer{mean, invstd, scale, x, dy, s.vector(), s.vector(), s.vector(), s.vector(), s.vector()} {
			attributes = append(attributes, descriptors(bnWeights+1+i, t))
		}
		s.op(kindBNWeights, attributes...)
	}},
	{"scale + bias + ReLU + backward filter", func(s *sketch) {
		// It takes all of it in the type of the images.
		virtual := func() unsafe.Pointer { return s.new([]int64{64, 64, 56, 56}, s.dtype, true) }
		vector := func() unsafe.Pointer { return s.new([]int64{1, 64, 1, 1}, s.dtype, false) }
		x := s.pointwise(pointwiseAdd, s.pointwise(pointwiseMul, s.image(), vector(), virtual()), vector(), virtual())
		s.conv(kernel.BackwardFilter, s.pointwise(pointwiseReLU, x, nil, virtual()), s.filter(), s.image())
	}},
	{"statistics", func(s *sketch) { s.statistics(s.image()) }},
	{"batch-norm statistics finalized", func(s *sketch) {
		attributes := []attribute{enum(finalize, typeFinalizeMode, 0), enum(finalize+1, typeDataType, dataFloat)}
		for i := range 12 {
			attributes = append(attributes, descriptors(finalize+2+i, s.vector()))
		}
		s.op(kindFinalize, append(attributes, descriptors(finalize+14, s.value(dataInt64)), descriptors(finalize+15, s.value(dataFloat)), descriptors(finalize+16, s.value(dataFloat)))...)
	}},
	{"scale + bias + residual + ReLU", func(s *sketch) {
		v := s.pointwise(pointwiseAdd, s.pointwise(pointwiseMul, s.image(), s.vector(), s.virtual()), s.vector(), s.virtual())
		s.pointwise(pointwiseReLU, s.pointwise(pointwiseAdd, v, s.image(), s.virtual()), nil, s.image())
	}},
}

// TestFusions records which graphs of operations around a convolution cuDNN has an engine for, in which precision. A file of
// testdata holds the answers of one version, on which what the engine of package cuda fuses rests.
func TestFusions(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles some fifty kernels")
	}
	l := library(t)
	if simulated(t, l) {
		t.Skip("it is about cuDNN itself")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "cuDNN %s: convolutions of 3×3, 64 filters, 56×56×64 images, batch 64; sums and vectors float32\n", l.Version())
	for _, f := range fusions {
		fmt.Fprintf(&b, "%s\n", f.name)
		for _, device := range []string{"A100", "H100"} {
			h, err := l.ForDevice(devices[device])
			require.NoError(t, err)
			for _, kind := range []struct {
				name  string
				dtype int32
			}{{"fp32 or tf32", dataFloat}, {"bf16", dataBFloat16}, {"fp16", dataHalf}} {
				fmt.Fprintf(&b, "  %s, images and filters %-12s  %s\n", device, kind.name, fuse(h, f.draw, kind.dtype))
			}
			require.NoError(t, h.Close())
		}
	}
	golden(t, fmt.Sprintf("fusions-%s.txt", l.Version()), b.String())
}

// fuse says what engine a graph gets.
func fuse(h *Handle, draw func(*sketch), dtype int32) string {
	g := &shared{builder: builder{lib: h.lib}, users: 1}
	s := &sketch{builder: &g.builder, h: h, dtype: dtype}
	draw(s)
	graph := h.operations(s.builder, s.ops...)
	if s.err != nil {
		g.release()
		return "refused: " + s.err.Error()
	}
	w := h.waysOf(&problem{posed: posed{excluded: excluded}}, g, graph, working, modeA, modeFallback)
	defer w.Close()
	plan, err := w.Next()
	if err != nil {
		return "none: " + summary(w.reasons)
	}
	defer plan.Close()
	return fmt.Sprintf("%s, %d", plan.Engine, plan.Workspace)
}
