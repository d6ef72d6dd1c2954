//go:build gpu && cgo && linux

package cuda

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/cuda/internal/driver"
	"github.com/stheno-ml/stheno/cuda/internal/kernel"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/graph/op"
)

// Engine is a graph.Engine for one GPU. Its programs share a stream, on which their work runs in the order in which it was asked
// for, and the memory of tensors that several of them are bound to.
type Engine struct {
	config    Config
	precision kernel.Precision
	dev       *driver.Device
	stream    *driver.Stream // where everything is computed
	side      *driver.Stream // where steps are computed beside those of the other, in CUDA graphs
	on        *driver.Stream // of the two, where actions go now
	copies    *driver.Stream // where inputs arrive while the other computes
	compiler  *compiler
	libs      *libs
	tuner     *tuner
	staging   *staging
	parcel    parcel
	scratch   scratch
	memories  map[place]*memory // by the host memory that they mirror; used on the device's thread
	packed    map[packedKey]*packedFilter
	programs  map[*program]bool // that hold something on the device; used on the device's thread
	idle      *idleWatch        // nil unless somebody watches; used on the device's thread

	mu     sync.Mutex
	closed bool
	said   map[string]bool
}

// precisions are the names of the policies.
var precisions = []string{"fp32", "tf32", "bf16"}

// tunings are the names of Config.Tuning.
var tunings = []string{"heuristics", "measure", "off"}

var errClosed = errors.New("cuda: the engine is closed")

// stopped is the error of the context that ends Build, nil as long as it does not.
func (e *Engine) stopped() error {
	if e.config.Context == nil {
		return nil
	}
	return e.config.Context.Err()
}

// New opens a GPU. Its error says what is missing on this machine and what to do. Close the engine when its programs are closed.
func New(c Config) (*Engine, error) {
	e := &Engine{config: c, memories: map[place]*memory{}, packed: map[packedKey]*packedFilter{}, programs: map[*program]bool{}, said: map[string]bool{}}
	e.parcel.engine, e.scratch.engine = e, e
	i := slices.Index(precisions, c.Precision)
	if c.Precision != "" && i < 0 {
		return nil, &configError{fmt.Sprintf("cuda: there is no precision %q; known are %s", c.Precision, strings.Join(precisions, ", "))}
	}
	e.precision = kernel.Precision(max(i, 0))
	if c.Tuning != "" && !slices.Contains(tunings, c.Tuning) {
		return nil, &configError{fmt.Sprintf("cuda: there is no tuning %q; known are %s", c.Tuning, strings.Join(tunings, ", "))}
	}
	without, err := withoutLibraries(c.Without)
	if err != nil {
		return nil, err
	}
	if e.dev, err = driver.Open(c.Device, c.MemoryLimit); err != nil {
		return nil, err
	}
	err = e.dev.Do(func() error { return e.start(without) })
	if err != nil {
		return nil, errors.Join(err, e.shut())
	}
	return e, nil
}

// start makes what an engine has on the device.
func (e *Engine) start(without []string) (err error) {
	if e.compiler, err = newCompiler(e); err != nil {
		return err
	}
	if e.stream, err = driver.NewUrgentStream(); err != nil { // before what is beside
		return err
	}
	e.on = e.stream
	if e.side, err = driver.NewStream(); err != nil {
		return err
	}
	if e.copies, err = driver.NewStream(); err != nil {
		return err
	}
	if e.staging, err = newStaging(e.stream); err != nil {
		return err
	}
	e.libs = e.openLibs(without)
	e.tuner = newTuner(e)
	return nil
}

// withoutEnv is the environment variable that adds to Config.Without.
const withoutEnv = "STHENO_CUDA_WITHOUT"

// withoutLibraries lists the libraries to do without.
func withoutLibraries(config []string) (all []string, err error) {
	add := func(name, from string) {
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case "":
		case "cudnn", "cublaslt":
			all = append(all, name)
		default:
			err = &configError{fmt.Sprintf("cuda: %s names a library %q to do without; known are cudnn and cublaslt", from, name)}
		}
	}
	for _, name := range config {
		add(name, "Config.Without")
	}
	for name := range strings.SplitSeq(os.Getenv(withoutEnv), ",") {
		add(name, "the environment variable "+withoutEnv)
	}
	return all, err
}

// Name is "cuda:0".
func (e *Engine) Name() string { return fmt.Sprintf("cuda:%d", e.dev.Ordinal) }

// String names the GPU, and says for how much of what programs do a measured choice is followed: "cuda:0, NVIDIA H200 with compute
// capability 9.0, tuned for 60 calls of libraries".
func (e *Engine) String() string {
	return fmt.Sprintf("%s, %s with compute capability %d.%d%s", e.Name(), e.dev.Name, e.dev.Major, e.dev.Minor, e.tuned())
}

// Device describes the GPU.
func (e *Engine) Device() Device {
	d := device(e.dev.Info)
	d.Free = -1 // of a closed engine's GPU nothing is known
	_ = e.dev.Do(func() error {
		free, _, err := driver.MemInfo()
		if err == nil {
			d.Free = free
		}
		return err
	})
	return d
}

// Precision is "fp32", "tf32" or "bf16".
func (e *Engine) Precision() string { return e.precision.String() }

// Fuses says for which element types fused operations have kernels.
func (e *Engine) Fuses(kind string, dt tensor.Dtype) bool { return kernel.Fuses(kind, dt, e.precision) }

// InPlace allows what the operations allow, and more where kernels read first, for kernels. References, which run on copies, would allow it
// too, but gain nothing.
func (e *Engine) InPlace(instr graph.Instr, dt tensor.Dtype, out, in int) bool {
	return kernel.Has(instr.Kind(), dt) && (graph.Elementwise(instr, out, in) && !kernel.Apart(instr) || kernel.InPlace(instr, out, in))
}

// Narrows keeps images as bfloat16 under the precision bf16, where the kernels can.
func (e *Engine) Narrows(s *graph.Step) (in, out []bool, gains bool) {
	if e.precision != kernel.BF16 {
		return nil, nil, false
	}
	return kernel.Narrows(s)
}

// transposedEnv is the environment variable that, set to 0, brings every gradient of a filter from cuDNN's order into Keras's before its
// update reads it.
const transposedEnv = "STHENO_CUDA_TRANSPOSED_GRADIENTS"

// Transposes keeps gradients of filters as cuDNN writes them, where the updates alone read them.
func (e *Engine) Transposes(s *graph.Step) (in, out []bool) {
	if os.Getenv(transposedEnv) == "0" || e.libs.dnn == nil {
		return nil, nil
	}
	return e.builder().Transposes(s)
}

// Beside lets small steps of which only updates or outputs are made run at the same time as those behind them.
func (e *Engine) Beside(s *graph.Step) int {
	if os.Getenv(besideEnv) == "0" || !allBeside() && !kernel.IsGradient(s) {
		return 0
	}
	return kernel.Beside(s)
}

// normsEnv is the environment variable that, set to 0, leaves every batch norm in two steps, its sums and what is made of them.
const normsEnv = "STHENO_CUDA_JOIN_NORMS"

// JoinsNorm wants small batch norms in one step, which is one launch.
func (e *Engine) JoinsNorm(s *graph.Step) bool {
	return os.Getenv(normsEnv) != "0" && kernel.JoinsNorm(s, e.precision, e.dev.Multiprocessors)
}

// JoinsReLUGrad wants the gradient of a convolution's input and the ReLU's in front of it in one step, if cuDNN may compute both at once.
func (e *Engine) JoinsReLUGrad(s *graph.Step) bool {
	return e.libs.dnn != nil && kernel.JoinsReLUGrad(s, e.precision, gather)
}

// JoinsPoolGrad wants the gradient of a max pooling and the ReLU's behind it in one step, where one launch may compute both.
func (e *Engine) JoinsPoolGrad(s *graph.Step) bool { return kernel.JoinsPoolGrad(s) }

// Remote is true: what programs are fed crosses the bus.
func (e *Engine) Remote() bool { return true }

// GroupBytes has updates run beside the backward pass, of so many bytes of parameters at a time.
func (e *Engine) GroupBytes() int {
	if !allBeside() {
		return 0
	}
	return kernel.GroupBytes
}

// Together implements graph.Confined: what do asks of buffers is done on the device's thread, which each of them else wakes for itself.
func (e *Engine) Together(do func() error) error { return e.dev.Do(do) }

// Gathers says which updates wait for each other, so that they are one launch.
func (e *Engine) Gathers(bytes int, scarce bool) bool { return kernel.Gathers(bytes, scarce) }

// Wrap gives host memory a counterpart on the device. Wrapping the same host memory again gives the same one, so that programs
// share the tensors that they are bound to.
func (e *Engine) Wrap(data op.Array) (graph.Buffer, error) {
	if e.isClosed() {
		return nil, errClosed
	}
	var b *buffer
	err := e.dev.Do(func() (err error) {
		b, err = e.wrap(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Close waits for what was asked for and frees all that the engine holds on the device, also for programs and buffers that are not
// closed: these fail from then on, and closing them is still allowed. Values that only the device has are lost. It must not be called
// by what the engine itself calls: the log, observers and operations of the user's own.
func (e *Engine) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.mu.Unlock()
	if closed {
		return nil
	}
	return e.shut()
}

func (e *Engine) shut() error {
	return e.dev.CloseAfter(func() error {
		var errs []error
		for p := range e.programs {
			errs = append(errs, p.free())
		}
		if e.stream != nil {
			errs = append(errs, e.stream.Synchronize())
		}
		if e.copies != nil {
			errs = append(errs, e.copies.Synchronize())
		}
		for _, m := range e.memories {
			errs = append(errs, m.free())
		}
		errs = append(errs, e.parcel.Close())
		if e.libs != nil {
			errs = append(errs, e.libs.Close())
		}
		if e.staging != nil {
			errs = append(errs, e.staging.Close())
		}
		errs = append(errs, e.endIdle())
		return driver.Join(append(errs, e.stream.Close(), e.side.Close(), e.copies.Close())...)
	})
}

func (e *Engine) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// say logs a line once.
func (e *Engine) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	e.mu.Lock()
	said := e.said[line]
	e.said[line] = true
	e.mu.Unlock()
	if !said && e.config.Log != nil {
		e.config.Log(line)
	}
}
