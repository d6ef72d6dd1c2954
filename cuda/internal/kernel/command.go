// Package kernel decides what a step of a plan asks of the device: which kernels run with which arguments, and which calls
// of a library. It knows shapes and attributes and no device: it is plain Go, needs no build tag, and what it decides can be
// tested anywhere. The engine of package cuda carries the commands out.
package kernel

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Command is one thing that a step asks of the device. The commands of a step run in order, on one stream.
type Command interface{ command() }

// Launch runs a kernel.
type Launch struct {
	Source      Source // what is compiled
	Name        string // of the kernel in Source
	Grid, Block Dim3
	Shared      int   // bytes of dynamic shared memory
	Args        []any // of the kernel, in order: Pointer, int32, int64, uint32, uint64, float32, float64, Bytes, Table, Late
}

// Dim3 are the extents of a grid or of a block; 0 stands for 1.
type Dim3 struct{ X, Y, Z int }

// Bytes is an argument that is a struct, passed by value.
type Bytes []byte

// Table is an argument that is a struct, passed by value, which begins with addresses.
type Table struct {
	Bytes Bytes
	At    []Pointer
}

// Late is an int64 argument that is asked for before every run, such as the place of a slice that moves between runs. Its error
// is that of the step, and the run does not begin.
type Late func() (int64, error)

// Fill sets bytes of memory, as memset does.
type Fill struct {
	To    Pointer
	Value byte
	Bytes int64
}

// Move copies memory of the device.
type Move struct {
	To, From Pointer
	Bytes    int64
}

// Check looks at an integer operand before it is used as an index, and refuses the run if Fn does. The engine calls Fn before
// the run begins if the operand is an input of the plan; else it brings the operand to the host when the step's turn comes.
type Check struct {
	In int // of the step
	Fn func(op.Array) error
}

// Either is what a library does if it is there and takes the call, else what our own kernels do.
type Either struct {
	Try  []Command // with one Gemm or Convolution among them
	Else []Command
}

// Gemm is c ← op(a)·op(b) [+ bias over the columns], of row-major matrices, through cuBLASLt: op(a) is m×k, op(b) is k×n, c is
// m×n. A is stored as m×k, or k×m if TransA; B as k×n, or n×k if TransB; Batch of them lie one after the other at the strides,
// in elements. A ReLU is not asked for: of cuBLASLt's it is not said that NaN stays NaN.
type Gemm struct {
	Dtype            tensor.Dtype
	Precision        Precision
	M, N, K          int
	TransA, TransB   bool
	A, B, C          Pointer
	Bias             *Pointer // n elements
	Batch            int      // 0 and 1: one
	StrideA, StrideB int64
	StrideC          int64
	// RoundedAB says that A and B hold bfloat16 where Dtype is float32, RoundedC that C does; sums are float32.
	RoundedAB, RoundedC bool
}

// Pass is one of the three convolutions of a layer.
type Pass uint8

// The passes: y of x and w; dx of dy and w; dw of x and dy.
const (
	Forward Pass = iota
	BackwardInput
	BackwardFilter
)

// Convolution is a pass of a two-dimensional convolution through cuDNN. X and Y are channels last (NHWC); the filter W lies as
// cuDNN wants it: output channel, row, column, input channel of the group (KRSC). Of X, W and Y the one that the pass computes
// is written, the others are read.
type Convolution struct {
	Pass                     Pass
	Dtype                    tensor.Dtype
	Precision                Precision
	N, H, W, C               int // of x
	K, R, S                  int // output channels, rows and columns of the filter
	OH, OW                   int // rows and columns of y
	Stride, Dilation         [2]int
	Top, Bottom, Left, Right int // padding
	Groups                   int
	X, Filter, Y             Pointer
	Bias                     *Pointer // K elements, Forward only
	ReLU                     bool     // Forward only, after the bias and the residual
	// Rounded says that X, Filter and Y hold bfloat16 where Dtype is float32; Bias holds float32, and sums are float32. Without
	// it all hold Dtype, and the precision BF16 computes as TF32 does: cuDNN has few engines that read one type and write another.
	Rounded bool
	// Sums, if it is not nil, becomes 2·K float32, Forward of float32 only: the sums of every channel of Y, and behind them those of its
	// squares. They are added as float32, in an order of cuDNN's. Of BackwardInput with Mask it becomes C float32, the sums of every channel
	// of X, which are the same in every run unless cuDNN may add in any order.
	Sums *Pointer
	// Residual, if it is not nil, is added to Y behind the bias: Forward only, without Sums, of Y's shape and type. Y is other memory.
	Residual *Pointer
	// Mask, if it is not nil, is the result of a ReLU, of X's shape and type: where it is not above 0, X becomes 0, as of op.ReLUGrad.
	// BackwardInput only. X is other memory.
	Mask *Pointer
	// Select has Mask select what stays, which makes 0 of NaN and of infinities, too. Without it cuDNN's own gradient of a ReLU is asked for.
	Select bool
}

func (*Launch) command()      {}
func (*Fill) command()        {}
func (*Move) command()        {}
func (*Check) command()       {}
func (*Either) command()      {}
func (*Gemm) command()        {}
func (*Convolution) command() {}

// Base says what memory a pointer points into.
type Base uint8

// The memories: of a result of the step, of an operand, the step's working memory, a packed filter of the program (Builder.Packs), or
// its counters (Builder.Counters).
const (
	OutBase Base = iota
	InBase
	WorkBase
	PackBase
	CounterBase
)

// Pointer is a place in the device's memory that the engine fills in.
type Pointer struct {
	Base   Base
	Index  int   // of the result or operand
	Offset int64 // bytes
	End    int64 // of what Builder.Scratch reserved, in working memory: what no chosen command points to is never there
}

// Out points to result i of the step.
func Out(i int) Pointer { return Pointer{Base: OutBase, Index: i} }

// In points to operand i of the step.
func In(i int) Pointer { return Pointer{Base: InBase, Index: i} }

// At is the pointer moved by bytes.
func (p Pointer) At(bytes int64) Pointer {
	p.Offset += bytes
	return p
}

// Precision is how products of float32 are computed; sums are float32 always. It changes nothing for float64.
type Precision uint8

const (
	// FP32 rounds as float32 does.
	FP32 Precision = iota
	// TF32 lets matrix units round the factors of products to 10 bits of mantissa.
	TF32
	// BF16 rounds the factors of products to bfloat16, 7 bits of mantissa; cuBLASLt may leave some as they are.
	BF16
)

// String is "fp32", "tf32" or "bf16".
func (p Precision) String() string { return [...]string{"fp32", "tf32", "bf16"}[p] }
