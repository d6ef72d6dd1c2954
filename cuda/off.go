//go:build !gpu || !cgo || !linux

package cuda

import (
	"errors"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Built says whether this program has the CUDA engine.
const Built = false

// errNotBuilt says why nothing of this package works in this program.
var errNotBuilt = errors.New("cuda: this program was built without the CUDA engine; build it on Linux with cgo and the tag gpu: " +
	"make gpu-build writes bin/stheno-gpu, the command with it; for a program of your own, in a clone of Stheno: bash path/to/stheno/scripts/gpu-env.sh go build -tags gpu")

// Engine is a graph.Engine for one GPU. In this build there is none: New returns an error.
type Engine struct{}

// New opens a GPU.
func New(Config) (*Engine, error) { return nil, errNotBuilt }

// Name is "cuda".
func (*Engine) Name() string { return "cuda" }

// String is "cuda".
func (*Engine) String() string { return "cuda" }

// Device describes the GPU.
func (*Engine) Device() Device { return Device{} }

// Precision is "fp32", "tf32" or "bf16".
func (*Engine) Precision() string { return "" }

// Tuned is a digest of the measured choices that programs follow.
func (*Engine) Tuned() string { return "" }

// Fuses says for which element types fused operations have kernels.
func (*Engine) Fuses(string, tensor.Dtype) bool { return false }

// InPlace says whether results may be written over inputs.
func (*Engine) InPlace(graph.Instr, tensor.Dtype, int, int) bool { return false }

// Folds says where batch norms of inference had better be a part of the filters in front of them.
func (*Engine) Folds(int, int) bool { return false }

// Narrows says what can be kept as bfloat16.
func (*Engine) Narrows(*graph.Step) (in, out []bool, gains bool) { return nil, nil, false }

// Transposes says which gradients of filters can be kept filters first.
func (*Engine) Transposes(*graph.Step) (in, out []bool) { return nil, nil }

// JoinsNorm says whether a batch norm had better be one step.
func (*Engine) JoinsNorm(*graph.Step) bool { return false }

// JoinsReLUGrad says whether the gradient between two convolutions had better be masked in the step that computes it.
func (*Engine) JoinsReLUGrad(*graph.Step) bool { return false }

// JoinsPoolGrad says whether the gradient behind a max pooling had better be masked in the step that spreads it.
func (*Engine) JoinsPoolGrad(*graph.Step) bool { return false }

// Together calls do.
func (*Engine) Together(do func() error) error { return do() }

// Remote says whether the engine has memory of its own.
func (*Engine) Remote() bool { return true }

// GroupBytes is 0.
func (*Engine) GroupBytes() int { return 0 }

// Gathers says whether updates had better wait for each other.
func (*Engine) Gathers(int, bool) bool { return false }

// Beside says how long a step may last while others begin.
func (*Engine) Beside(*graph.Step) int { return 0 }

// FreeMemory returns an error.
func (*Engine) FreeMemory() (free int64, err error) { return 0, errNotBuilt }

// WatchIdle returns an error.
func (*Engine) WatchIdle() error { return errNotBuilt }

// Idle returns an error.
func (*Engine) Idle() (idle graph.Idle, err error) { return graph.Idle{}, errNotBuilt }

// MeasurePeak returns an error.
func (*Engine) MeasurePeak() (flopsPerSecond float64, err error) { return 0, errNotBuilt }

// MeasureBandwidth returns an error.
func (*Engine) MeasureBandwidth() (bytesPerSecond float64, err error) { return 0, errNotBuilt }

// MeasureEnergy returns an error.
func (*Engine) MeasureEnergy() (stop func() (joules float64, err error), err error) {
	return nil, errNotBuilt
}

// Memory returns the bytes of device memory in use and held.
func (*Engine) Memory() (used, held int64) { return 0, 0 }

// MemoryUses lists the device memory that the engine holds.
func (*Engine) MemoryUses() (uses []graph.MemoryUse) { return nil }

// Build returns an error.
func (*Engine) Build(*graph.Plan) (graph.Program, error) { return nil, errNotBuilt }

// Wrap returns an error.
func (*Engine) Wrap(op.Array) (graph.Buffer, error) { return nil, errNotBuilt }

// Close does nothing.
func (*Engine) Close() error { return nil }

func devices() ([]Device, error) { return nil, errNotBuilt }

func libraries() []Library { return nil }
