package cuda

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/graph"
)

func init() {
	graph.Register("cuda", func(device string, c graph.Config) (graph.Engine, error) {
		n, err := ordinal(device)
		if err != nil {
			return nil, err
		}
		return New(Config{Device: n, Precision: c.Precision, Tuning: c.Tuning, Nondeterministic: c.Nondeterministic, Context: c.Context, Log: c.Log})
	})
}

// ErrConfig is what errors.Is finds in the errors of [New] about a mistake in its Config or in the environment, which another
// device would not mend.
var ErrConfig = errors.New("cuda: wrong configuration")

// configError is a mistake in the configuration.
type configError struct{ text string }

func (e *configError) Error() string        { return e.text }
func (e *configError) Is(target error) bool { return target == ErrConfig }

// Config configures an engine.
type Config struct {
	Device int // number of the GPU, from 0; see Devices
	// Precision is how products of float32 are computed: "fp32" or "", "tf32", or "bf16". Weights, sums, statistics and losses are
	// float32 in all three.
	Precision string
	// Without names libraries to do without, "cudnn" or "cublaslt": what they would compute runs on the engine's own kernels. The
	// environment variable STHENO_CUDA_WITHOUT, a list with commas, adds to it.
	Without []string
	// MemoryLimit is the number of bytes of device memory that the engine takes at most; 0 means all there is.
	MemoryLimit int64
	// Tuning says how the ways to compute convolutions and matrix products, of which cuDNN and cuBLASLt have several, are chosen:
	// "heuristics" or "", by what was measured before and is kept on disk, else as the libraries propose; "measure", the same, but what
	// was not measured yet is measured when a program is built, and kept; "off", as the libraries propose.
	Tuning string
	// Nondeterministic allows cuDNN to add in an order that depends on timing, in convolutions and for the statistics of batch norms behind
	// them. That may be faster, and the last bits of results then differ from run to run.
	Nondeterministic bool
	// Context, when it is done, ends Build between two measurements, compilations or calls of libraries: its error is then Build's. What was
	// measured until then is kept. Programs that are built run on. nil is none.
	Context context.Context
	// Log takes what a user should know once, a line each: a library that is missing, an operation that runs on the host. nil
	// drops it.
	Log func(line string)
}

// Device is a GPU.
type Device struct {
	Ordinal         int
	Name            string // "NVIDIA H200"
	UUID            string // "GPU-…", as nvidia-smi prints it
	Major, Minor    int    // compute capability
	Multiprocessors int
	Memory          int64  // bytes
	Free            int64  // bytes; -1 if the GPU could not be asked, as when another process has it for itself
	Driver          string // the newest CUDA version that the driver runs: "12.8"
}

// Library is a library that the engine looks for when it runs.
type Library struct {
	Name    string // "NVRTC", "cuDNN", "cuBLASLt"
	Purpose string // what it is for, and what happens without it
	Version string // "" if it was not found
	Path    string // the file that was loaded
	Err     error  // why it was not found or cannot be used: what was tried, what to do
	Unused  string // why it is not used although it may be there: the environment variable that asks to do without it
}

// Devices lists the GPUs of the machine. Its error says why there are none, and what to do.
func Devices() ([]Device, error) { return devices() }

// Libraries looks for the libraries that the engine uses at run time and loads them.
func Libraries() []Library { return libraries() }

// ordinal reads the number of "cuda" or "cuda:1".
func ordinal(device string) (int, error) {
	_, number, given := strings.Cut(device, ":")
	if !given {
		return 0, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return 0, &configError{fmt.Sprintf("cuda: device %q: want \"cuda\" or \"cuda:N\", with the number N of a GPU from 0", device)}
	}
	return n, nil
}
