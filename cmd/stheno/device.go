package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
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
	// recordedName and recordedPrecision say that the two are those of a run, which may have begun on another machine, and not a wish
	// of this command's user.
	recordedName, recordedPrecision bool
}

// flags are those of commands that use a run's model: unless a precision is asked for, it is the run's.
func (d *device) flags(f *pflag.FlagSet) {
	deviceFlags(f, &d.name, &d.threads)
	f.StringVar(&d.precision, "precision", "", precisionUsage+" (default: that of the run)")
}

// ofRun takes the precision of a run over, unless the user asked for one.
func (d *device) ofRun(f *pflag.FlagSet, c train.Config) {
	if !f.Changed("precision") {
		d.precision, d.recordedPrecision = c.Precision, true
	}
}

// deviceFlags defines the flags of a device; their defaults are what the variables hold.
func deviceFlags(f *pflag.FlagSet, name *string, threads *int, more ...string) {
	f.StringVar(name, "device", cmp.Or(*name, "auto"), deviceList(more...)+"; cuda:N is the GPU with number N")
	f.IntVar(threads, "threads", *threads, "CPU threads (0: one per core)")
}

// deviceList lists deviceNames and more. A program without the CUDA engine knows its name to say how to get it.
func deviceList(more ...string) string {
	names := append(deviceNames(), more...)
	if cuda.Built {
		return strings.Join(names, ", ")
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "cuda" })
	return strings.Join(names, ", ") + ", and cuda in the program that make gpu-build builds"
}

// precisionFlag defines the flag for a precision that is not that of a run.
func precisionFlag(f *pflag.FlagSet, precision *string) {
	f.StringVar(precision, "precision", cmp.Or(*precision, train.FP32), precisionUsage)
}

var precisionUsage = "how a GPU multiplies: " + strings.Join(train.Precisions(), ", ")

// deviceNames are the values of --device.
func deviceNames() []string {
	return append([]string{"auto"}, slices.DeleteFunc(graph.Kinds(), func(kind string) bool { return kind == "null" })...) // null only plans
}

// unknownDevice is the error for a device of a kind that there is not.
func unknownDevice(name, kind string) error {
	text := fmt.Sprintf("unknown device %q; the", name)
	near := suggest.Nearest(kind, deviceNames())
	if slices.Contains([]string{"gpu", "nvidia"}, strings.ToLower(kind)) {
		near = "cuda"
	}
	if near != "" {
		text = fmt.Sprintf("unknown device %q; did you mean %q? The", name, near)
	}
	return errors.New(text + " devices are " + deviceList())
}

var cudaName = regexp.MustCompile(`^cuda(:\d+)?$`)

// open starts the engine of a device; "auto" is the fastest there is: the first GPU, else the CPU. note takes what the user
// should know, such as why it is not the GPU. A mistake in the configuration is an error with "auto" too: it is not the machine's.
func (d device) open(note func(line string)) (graph.Engine, error) {
	if d.threads < 0 || d.threads > train.MaxThreads {
		return nil, fmt.Errorf("--threads wants at least 0 and at most %d, got %d", train.MaxThreads, d.threads)
	}
	if err := train.CheckPrecision(d.precision); err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(d.name, ":")
	if !slices.Contains(deviceNames(), kind) {
		return nil, unknownDevice(d.name, kind)
	}
	c := graph.Config{Threads: d.threads, Precision: d.precision, Log: func(line string) { note(byName(line)) }}
	switch {
	case d.name == "auto":
		e, err := graph.Open("cuda", c)
		if err == nil {
			return e, nil
		}
		if errors.Is(err, cuda.ErrConfig) {
			return nil, err
		}
		if cuda.Built || !isFP32(d.precision) { // a program without the CUDA engine is not expected to use a GPU
			note(fmt.Sprintf("computing on the CPU%s: %s", d.insteadOf(), firstLine(err)))
		}
		c.Precision = ""
		return graph.Open("cpu", c)
	case kind == "auto":
		return nil, fmt.Errorf("unknown device %q; auto chooses the device, such as cuda:1 to name one", d.name)
	case kind == "cuda":
		e, err := graph.Open(d.name, c)
		if err != nil {
			return nil, d.without(err)
		}
		return e, nil
	case kind == "cpu":
		if d.recordedName && cuda.Built {
			if gpus, err := cuda.Devices(); err == nil && len(gpus) > 0 {
				note("the run was made with --device cpu and goes on there; --device cuda goes on on the GPU")
			}
		}
		if d.recordedPrecision && !isFP32(d.precision) {
			note(fmt.Sprintf("the CPU computes in %s what the run computes in %s on a GPU", train.FP32, d.precision))
			c.Precision = ""
		}
	}
	return graph.Open(d.name, c)
}

// without adds what to do without a GPU to the error for one that cannot be used.
func (d device) without(err error) error {
	switch {
	case errors.Is(err, cuda.ErrConfig) || !cudaName.MatchString(d.name):
		return err
	case d.recordedName:
		return fmt.Errorf("%w\n    the run was made with --device %s; add --device cpu to go on without a GPU", err, d.name)
	}
	return fmt.Errorf("%w\n    --device cpu computes without a GPU", err)
}

// firstLine is an error in one line. What is left out "stheno devices --verbose" tells.
func firstLine(err error) string {
	line, more, _ := strings.Cut(err.Error(), "\n")
	if more != "" {
		line += "; " + byName("details: stheno devices --verbose")
	}
	return line
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

// computes says what an engine computes with, and of a GPU how: "cuda:0, NVIDIA H200 with compute capability 9.0, precision tf32".
func computes(e graph.Engine, precision string) string {
	if e.Name() == "cpu" {
		return describeEngine(e)
	}
	return describeEngine(e) + ", precision " + cmp.Or(precision, train.FP32)
}
