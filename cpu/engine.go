package cpu

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cpu/internal/cpuid"
	"github.com/stheno-ml/stheno/cpu/internal/gemm"
	"github.com/stheno-ml/stheno/cpu/internal/kernel"
	"github.com/stheno-ml/stheno/cpu/internal/pool"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

func init() {
	graph.Register("cpu", func(device string, c graph.Config) (graph.Engine, error) {
		if strings.Contains(device, ":") {
			return nil, fmt.Errorf("cpu: device %q: there is one CPU engine; use \"cpu\" and set the number of threads", device)
		}
		return New(Config{Threads: c.Threads, Precision: c.Precision})
	})
}

// Config configures an engine.
type Config struct {
	Threads int // workers of the pool, 0 means one per available core
	// Precision is how convolutions and matrix products of float32 multiply: "fp32" or "", or "bf16", with factors rounded to bfloat16,
	// where the CPU has AVX512-BF16, unless Winograd's algorithm in float32 is faster. Weights, sums, statistics and losses are float32 in both, and float64 is not touched.
	Precision string
	// Tuning, if it is not nil, is a table of measured choices, to be taken instead of the engine's own estimates where it has one: see
	// [LoadTuning] and [Engine.Measure]. It must be of the instruction set in use.
	Tuning *Tuning
}

// Engine is a graph.Engine for the machine's processor. Programs of one engine share its worker pool; they may run
// from several goroutines, where the pool's helpers serve one at a time and the others run on their callers alone.
type Engine struct {
	pool   *pool.Pool
	gemm   *gemm.Gemm[float32] // in the engine's precision
	gemm64 *gemm.Gemm[float64]

	tuning *Tuning // nil where there is none

	mu     sync.Mutex
	closed bool
	// Of all programs built: the convolutions that the tuning has a choice for, those for which it compared other ways than there are, and
	// the choices that are not the model's.
	chosen, foreign map[Convolution]bool
	taken           map[Convolution]string
}

var errClosed = errors.New("cpu: the engine is closed")

// New starts an engine with its workers. Close it when its programs are closed.
func New(c Config) (*Engine, error) {
	if c.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads; use 0 for one per core, or a positive number", c.Threads)
	}
	if _, err := cpuid.Default(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	products, err := productsOf(c.Precision)
	if err != nil {
		return nil, err
	}
	tuning, err := c.Tuning.snapshot()
	if err != nil {
		return nil, err
	}
	return &Engine{pool: pool.New(c.Threads), gemm: products, gemm64: gemm.New[float64](kernel.Level()), tuning: tuning,
		chosen: map[Convolution]bool{}, foreign: map[Convolution]bool{}, taken: map[Convolution]string{}}, nil
}

// Name is "cpu".
func (e *Engine) Name() string { return "cpu" }

// Threads is the number of workers.
func (e *Engine) Threads() int { return e.pool.Threads() }

// Level names the instruction set whose kernels run: "avx512", "avx2" or "generic".
func (e *Engine) Level() string { return kernel.Level().String() }

// HasKernel says whether steps of a kind on elements of type dt run on a kernel rather than on a reference.
func (e *Engine) HasKernel(kind string, dt tensor.Dtype) bool {
	return kernels[kind].of(dt) != nil
}

// Fuses says for which element types fused operations have kernels.
func (e *Engine) Fuses(kind string, dt tensor.Dtype) bool { return e.HasKernel(kind, dt) }

// InPlace allows what the operations allow, for kernels. References promise nothing of the kind.
func (e *Engine) InPlace(instr graph.Instr, dt tensor.Dtype, out, in int) bool {
	return e.HasKernel(instr.Kind(), dt) && (graph.Elementwise(instr, out, in) || graph.RowByRow(instr, out, in))
}

// Keeps is true of the weights of convolutions and products, which kernels pack.
func (e *Engine) Keeps(instr graph.Instr, dt tensor.Dtype, in int) bool {
	return e.HasKernel(instr.Kind(), dt) && graph.Weights(instr, in)
}

// Wrap uses data in place.
func (e *Engine) Wrap(data op.Array) (graph.Buffer, error) { return buffer{data}, nil }

// Close stops the workers.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.closed = true
		e.pool.Close()
	}
	return nil
}

func (e *Engine) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// buffer is host memory itself: uploads and downloads have nothing to do.
type buffer struct{ data op.Array }

func (buffer) Upload(op.Array) error   { return nil }
func (buffer) Download(op.Array) error { return nil }
func (buffer) Close() error            { return nil }
