package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	_ "github.com/stheno-ml/stheno/cpu" // the device "cpu"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/train"
)

// device is where a command computes.
type device struct {
	name      string
	threads   int
	precision string
	// recorded says that the precision is that of a run which may have begun on another device, not a wish of this command's user.
	recorded bool
}

func (d *device) flags(f *pflag.FlagSet) {
	deviceFlags(f, &d.name, &d.threads, &d.precision, deviceNames())
}

// deviceFlags defines the flags of a device; their defaults are what the variables hold.
func deviceFlags(f *pflag.FlagSet, name *string, threads *int, precision *string, names []string) {
	f.StringVar(name, "device", cmp.Or(*name, "auto"), strings.Join(names, ", ")+"; cuda:N is the GPU with number N")
	f.IntVar(threads, "threads", *threads, "CPU threads (0: one per core)")
	f.StringVar(precision, "precision", cmp.Or(*precision, train.FP32), "how a GPU multiplies: "+strings.Join(train.Precisions(), ", "))
}

// deviceNames are the values of --device.
func deviceNames() []string {
	return append([]string{"auto"}, slices.DeleteFunc(graph.Kinds(), func(kind string) bool { return kind == "null" })...) // null only plans
}

// open starts the engine of a device; "auto" is the fastest there is: the first GPU, else the CPU. note takes what the user
// should know, such as why it is not the GPU.
func (d device) open(note func(line string)) (graph.Engine, error) {
	if d.threads < 0 || d.threads > train.MaxThreads {
		return nil, fmt.Errorf("--threads wants at least 0 and at most %d, got %d", train.MaxThreads, d.threads)
	}
	if err := train.CheckPrecision(d.precision); err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(d.name, ":")
	if !slices.Contains(deviceNames(), kind) {
		return nil, fmt.Errorf("unknown device %q%s; this program has %s", d.name, suggest.Phrase(kind, deviceNames()), strings.Join(deviceNames(), ", "))
	}
	c := graph.Config{Threads: d.threads, Precision: d.precision, Log: note}
	switch {
	case d.name == "auto":
		e, err := graph.Open("cuda", c)
		if err == nil {
			return e, nil
		}
		if cuda.Built || !isFP32(d.precision) { // a program without the CUDA engine is not expected to use a GPU
			note(fmt.Sprintf("computing on the CPU%s: %s", d.insteadOf(), strings.Join(strings.Fields(err.Error()), " ")))
		}
		c.Precision = ""
		return graph.Open("cpu", c)
	case kind == "auto":
		return nil, fmt.Errorf("unknown device %q; auto chooses the device, such as cuda:1 to name one", d.name)
	case kind == "cuda":
		e, err := graph.Open(d.name, c)
		if err != nil {
			return nil, fmt.Errorf("%w\n    see stheno devices --verbose; --device cpu computes without a GPU", err)
		}
		return e, nil
	case kind == "cpu" && d.recorded && !isFP32(d.precision):
		note(fmt.Sprintf("the CPU computes in %s what the run computes in %s on a GPU", train.FP32, d.precision))
		c.Precision = ""
	}
	return graph.Open(d.name, c)
}

// insteadOf says what becomes of a precision that the CPU does not have.
func (d device) insteadOf() string {
	if isFP32(d.precision) {
		return ""
	}
	return fmt.Sprintf(" in %s, not %s", train.FP32, d.precision)
}

func isFP32(precision string) bool { return precision == "" || precision == train.FP32 }

// describeEngine is what an engine says of itself, such as "cpu with 2 threads, avx512 kernels".
func describeEngine(e graph.Engine) string {
	if s, ok := e.(fmt.Stringer); ok {
		return s.String()
	}
	return e.Name()
}
