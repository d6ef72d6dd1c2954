package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph/op"
)

// Engine turns plans into programs for one device. An engine is safe for use by several goroutines, a program by one
// at a time. Engines are closed explicitly, after their programs.
type Engine interface {
	// Name is "cpu", "cuda:0", "null".
	Name() string
	// Fuses says whether the engine has a kernel for a fused operation (fused.go) on elements of type dt. Passes ask
	// before they fuse, so that an engine never sees a fused step that it cannot run.
	Fuses(kind string, dt tensor.Dtype) bool
	// InPlace says whether the engine's kernel for an operation on elements of type dt may write result out over input
	// in. Elementwise tells which operations allow it by their meaning.
	InPlace(instr Instr, dt tensor.Dtype, out, in int) bool
	// Build chooses kernels and allocates the arena.
	Build(p *Plan) (Program, error)
	// Wrap makes host memory available to programs. The CPU engine uses data in place; other engines copy it on
	// Upload and Download.
	Wrap(data op.Array) (Buffer, error)
	// Close frees what the engine holds. Using it afterwards is an error.
	Close() error
}

// Remote is an [Engine] that may have memory of its own, to which what a program is fed is copied before every run. It is optional.
// Whoever feeds such an engine does well to hand over little, such as images as bytes for op.Augment.
type Remote interface {
	// Remote says that the engine has memory of its own.
	Remote() bool
}

// IsRemote says whether an engine has memory of its own.
func IsRemote(e Engine) bool {
	r, ok := e.(Remote)
	return ok && r.Remote()
}

// MemoryTeller is an [Engine] with memory of its own that can say how much there is. It is optional.
type MemoryTeller interface {
	// FreeMemory is how many bytes programs may still take, or an error where the device does not tell.
	FreeMemory() (int64, error)
}

// FreeMemory is how many bytes an engine with memory of its own has left, 0 where that is not known.
func FreeMemory(e Engine) int64 {
	t, ok := e.(MemoryTeller)
	if !ok {
		return 0
	}
	n, err := t.FreeMemory()
	if err != nil {
		return 0
	}
	return n
}

// Confined is an [Engine] whose buffers are cheaper to bring up to date together: each call of their methods is handed to a thread of the
// engine's own. It is optional.
type Confined interface {
	// Together calls do, in which Upload and Download of the engine's buffers are cheap, and returns its error.
	Together(do func() error) error
}

// Gatherer is an [Engine] for which one launch over many small tensors is cheaper than a launch for each. It is optional.
type Gatherer interface {
	// Gathers says whether an update of a parameter of so many bytes had better wait for the others: such updates then come one
	// after the other at the end of the plan, those of one kind together, and gradients live until then. scarce says that memory
	// counts for more than time: things are computed again to save some, or a plan without it did not fit [WithMemoryBudget].
	Gathers(bytes int, scarce bool) bool
}

// Keeper is an [Engine] whose programs compute what stays the same from run to run only once. It is optional; its programs are
// [Refresher]s. Plans for it have steps that are Once, whose results may lie where others overwrite them later: those that no other
// step reads, or only through operands that the engine keeps.
type Keeper interface {
	// Keeps says whether the engine's kernel for an operation on elements of type dt, when input in is Fixed, makes something of its
	// own of that input and looks at it no more: right after the step that made the input, and before the next step runs.
	Keeps(instr Instr, dt tensor.Dtype, in int) bool
}

// Folder is an [Engine] that is no [Keeper] and for which it may be worth while all the same to make the weights anew, in every run, with which
// a convolution or a matrix product does what a batch norm in inference behind it does (see [FoldNorm]). It is optional.
type Folder interface {
	// Folds says whether that is less work than a batch norm, for so many weights and so many results.
	Folds(weights, results int) bool
}

// Refresher is a [Program] that computes steps which are Once in its first run only, and keeps what it made of operands that are Fixed.
type Refresher interface {
	// Refresh makes the next run do that anew, with what resident inputs are then. Binding a resident input does so, too.
	Refresh()
}

// Program is a plan made ready to run.
type Program interface {
	// Bind makes b the memory of external value v from the next run on.
	Bind(v *Value, b Buffer) error
	// Run executes all steps and assignments once.
	Run() error
	// Close frees the arena.
	Close() error
}

// Queuer is a [Program] of an engine that computes while the host goes on, for which a run can be put behind another before the
// results of that are taken. It is optional.
type Queuer interface {
	// RunNext is Run, but what the run before computed stays to be taken: the next Download of an output's buffer brings that, the one
	// after it what this run computes. Of each output there are at most two results that wait, and a third is an error.
	RunNext() error
}

// Observer watches the steps of a run. Its methods are called from the goroutine that runs the program, so what they do
// takes time between the steps and, for an engine that runs steps asynchronously, waits for each of them.
type Observer interface {
	// Before is called before step i of the plan begins.
	Before(i int)
	// After is called when the step has succeeded, with its results in the order of Step.Out. They are the program's own
	// memory or, on a device, host copies of it: to be read, and not to be kept. An error ends the run and is what the run
	// returns, as it is.
	After(i int, out []op.Array) error
}

// Timekeeper is an [Observer] that may want to know nothing but times. An engine with a clock of its own then tells it of the steps
// when the run is over, instead of calling Before and After around each.
type Timekeeper interface {
	// TimesOnly says that nothing else is wanted.
	TimesOnly() bool
	// Took says that a step began so long after the run's first, and how long it took.
	Took(step int, begin, length time.Duration)
}

// Observable is a [Program] that can run under an observer. It is optional: an engine whose programs do not have it
// cannot be profiled or watched, and works otherwise.
type Observable interface {
	// RunObserved is Run with o told of every step; an o that is a [Timekeeper] may be told times alone. It allocates no more than
	// Run does.
	RunObserved(o Observer) error
}

// KernelTeller is a [Program] that can say what runs each step. It is optional: of other programs nothing is known.
type KernelTeller interface {
	// Kernels are short names by step, e.g. "avx512 implicit gemm" or "reference".
	Kernels() []string
}

// RoomTeller is a [Program] that can say what it keeps where, where that is not the plan's arena alone. It is optional.
type RoomTeller interface {
	// Room must not be changed.
	Room() *Room
}

// Buffer is memory of an engine for one external value.
type Buffer interface {
	// Upload copies host data into the buffer, unless a program has written the buffer since the host data was last equal to it;
	// Download copies the buffer into host data, if a program has. Both do nothing where the buffer is that host memory itself.
	Upload(op.Array) error
	Download(op.Array) error
	// Close frees the buffer's memory, if it owns any.
	Close() error
}

// Config is what an engine is opened with.
type Config struct {
	Threads int // worker threads of a CPU engine; 0 means one per available core
	// Precision is how numbers of float32 are multiplied: "" or "fp32", "tf32", "bf16". The CPU engine knows fp32 and, where the CPU
	// has AVX512-BF16, bf16.
	Precision string
	// Tuning says what an engine does with measured choices among the ways of libraries to compute something, where it calls some:
	// "" or "heuristics", follow those that are kept; "measure", measure what is not; "off", neither. The CPU engine has its own table.
	Tuning string
	// Nondeterministic allows ways whose results differ in the last bits from run to run, where an engine has such.
	Nondeterministic bool
	// Context ends Build when it is done, in an engine for which that takes long, as where it measures: its error is then Build's. Runs are
	// not ended by it. nil is none.
	Context context.Context
	// Log takes what a user should know once, a line each, such as an operation that has no kernel; nil drops it.
	Log func(line string)
}

// Opener makes an engine for a device string such as "cpu" or "cuda:1".
type Opener func(device string, c Config) (Engine, error)

var registry = struct {
	sync.Mutex
	openers map[string]Opener
}{openers: map[string]Opener{}}

// Register makes a kind of engine available to [Open]; packages of engines call it in init. kind is the device string
// up to its colon. Registering a kind twice panics: it is a mistake in the program's imports.
func Register(kind string, o Opener) {
	registry.Lock()
	defer registry.Unlock()
	if _, ok := registry.openers[kind]; ok {
		panic(fmt.Sprintf("graph: engine kind %q registered twice", kind))
	}
	registry.openers[kind] = o
}

// Kinds returns the registered kinds of engine in alphabetical order.
func Kinds() []string {
	registry.Lock()
	defer registry.Unlock()
	kinds := make([]string, 0, len(registry.openers))
	for k := range registry.openers {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	return kinds
}

// Open makes the engine of a device: "cpu", "null", "cuda" for the first GPU, "cuda:1" for another. Packages of engines must be
// imported to be known.
func Open(device string, c Config) (Engine, error) {
	kind, _, _ := strings.Cut(device, ":")
	registry.Lock()
	o, ok := registry.openers[kind]
	registry.Unlock()
	if !ok {
		return nil, fmt.Errorf("graph: no engine %q in this program; known are %s; an engine is made known by importing its package, such as _ \"github.com/stheno-ml/stheno/cpu\"",
			kind, strings.Join(Kinds(), ", "))
	}
	e, err := o(device, c)
	if err != nil {
		return nil, err // and no nil pointer of the engine's type, which is not nil as an Engine
	}
	return e, nil
}
