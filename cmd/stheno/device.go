package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/cuda"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/internal/words"
	"github.com/stheno-ml/stheno/train"
)

// device is where a command computes.
type device struct {
	name      string
	threads   int
	precision string
	tuning    *tuning // where measured choices are, or nil
	// nondeterministic allows a GPU ways to compute whose results differ from run to run.
	nondeterministic bool
	// recordedName and recordedPrecision say that the two are those of a run, which may have begun on another machine, and not a wish
	// of this command's user.
	recordedName, recordedPrecision bool
}

// flags are those of commands that use a run's model: unless a precision is asked for, it is the run's.
func (d *device) flags(f *pflag.FlagSet) {
	deviceFlags(f, &d.name, &d.threads)
	f.StringVar(&d.precision, "precision", "", precisionUsage+" (default: that of the run)")
	d.tuning = tuningFlag(f)
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

// deterministicFlag defines the flag that allows, or not, results that differ from run to run.
func deterministicFlag(f *pflag.FlagSet, nondeterministic *bool) {
	f.Var((*not)(nondeterministic), "deterministic", "the same bits in every run; --deterministic=false lets cuDNN add in any order on a GPU, which may be faster")
	f.Lookup("deterministic").NoOptDefVal = "true"
}

// not is a flag that is true where its variable is false.
type not bool

// Set reads true or false.
func (n *not) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err == nil {
		*n = not(!v)
	}
	return err
}

// String is true or false.
func (n *not) String() string { return strconv.FormatBool(!bool(*n)) }

// Type is that of pflag's own.
func (n *not) Type() string { return "bool" }

// precisionFlag defines the flag for a precision that is not that of a run.
func precisionFlag(f *pflag.FlagSet, precision *string) {
	f.StringVar(precision, "precision", cmp.Or(*precision, train.FP32), precisionUsage)
}

var precisionUsage = "how convolutions and matrix products multiply: " + precisionList()

// precisionList lists train.Precisions, and where they are not everywhere, where they are.
func precisionList() string {
	where := map[string]string{"tf32": " (a GPU)", "bf16": " (a GPU, or a CPU with AVX512-BF16)"}
	names := train.Precisions()
	for i, name := range names {
		names[i] = name + where[name]
	}
	return strings.Join(names, ", ")
}

// deviceNames are the values of --device.
func deviceNames() []string {
	return append([]string{"auto"}, slices.DeleteFunc(graph.Kinds(), func(kind string) bool { return kind == "null" })...) // null only plans
}

// knownDevice refuses a device of a kind that is neither in deviceNames nor in more.
func knownDevice(name string, more ...string) error {
	kind, _, _ := strings.Cut(name, ":")
	if slices.Contains(deviceNames(), kind) || slices.Contains(more, name) {
		return nil
	}
	return unknownDevice(name, kind)
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
// should know, such as why it is not the GPU. A mistake in the configuration is an error with "auto" too: it is not the machine's. ctx ends
// what the engine builds.
func (d device) open(ctx context.Context, note func(line string)) (graph.Engine, error) {
	if d.threads < 0 || d.threads > train.MaxThreads {
		return nil, fmt.Errorf("--threads wants at least 0 and at most %d, got %d", train.MaxThreads, d.threads)
	}
	if err := train.CheckPrecision(d.precision); err != nil {
		return nil, err
	}
	if err := knownDevice(d.name); err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(d.name, ":")
	tuning, err := d.tuning.ofGPU()
	if err != nil {
		return nil, err
	}
	if err := d.tuning.readable(); err != nil {
		return nil, err
	}
	c := graph.Config{Threads: d.threads, Precision: d.precision, Tuning: tuning, Nondeterministic: d.nondeterministic, Context: ctx, Log: func(line string) { note(byName(line)) }}
	switch {
	case d.name == "auto":
		e, err := graph.Open("cuda", c)
		if err == nil {
			if err := d.tuning.check(e.Name()); err != nil {
				return nil, errors.Join(err, e.Close())
			}
			return e, nil
		}
		if errors.Is(err, cuda.ErrConfig) {
			return nil, err
		}
		reason := inShort(err)
		e, err = d.openCPU(c, note)
		if errors.Is(err, cpu.ErrPrecision) {
			note(fmt.Sprintf("%s (no GPU can be used now: %s)", d.inFP32(), reason))
			c.Precision = ""
			return d.openCPU(c, note)
		}
		if err == nil && cuda.Built { // a program without the CUDA engine is not expected to use a GPU
			note(byName(fmt.Sprintf("no GPU can be used (%s); computing on the CPU; stheno devices says more", reason)))
		}
		return e, err
	case kind == "auto":
		return nil, fmt.Errorf("unknown device %q; auto chooses the device, such as cuda:1 to name one", d.name)
	case kind == "cuda":
		if err := d.tuning.check(d.name); err != nil {
			return nil, err
		}
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
		return d.openRecordedCPU(c, note)
	}
	if err := d.tuning.check(d.name); err != nil {
		return nil, err
	}
	return graph.Open(d.name, c)
}

// openRecordedCPU starts the CPU engine, in fp32 where a run that goes on here had a precision that this CPU has not.
func (d device) openRecordedCPU(c graph.Config, note func(string)) (graph.Engine, error) {
	e, err := d.openCPU(c, note)
	if d.recordedPrecision && errors.Is(err, cpu.ErrPrecision) {
		note(d.inFP32())
		c.Precision = ""
		return d.openCPU(c, note)
	}
	return e, err
}

// inFP32 says that this CPU computes in fp32 what was to be computed in a precision that it has not, and what has it.
func (d device) inFP32() string {
	from, what := "asked for", "a GPU"
	if d.recordedPrecision {
		from = "made in"
	}
	if d.precision == "bf16" {
		what += " or a CPU with AVX512-BF16"
	}
	return fmt.Sprintf("this run was %s %s; the CPU computes it in %s; use %s for %s", from, d.precision, train.FP32, what, d.precision)
}

// openCPU starts the CPU engine with its measured choices.
func (d device) openCPU(c graph.Config, note func(string)) (graph.Engine, error) {
	if strings.Contains(d.name, ":") {
		return graph.Open(d.name, c) // which says what is wrong
	}
	table, err := d.tuning.table(note)
	if err != nil {
		return nil, err
	}
	e, err := cpu.New(cpu.Config{Threads: c.Threads, Precision: c.Precision, Tuning: table})
	if err != nil {
		return nil, err // and not an engine that is nil
	}
	noteThreads(d.threads, note)
	return e, nil
}

// noteThreads notes a number of threads that is no help.
func noteThreads(threads int, note func(string)) {
	if cpus := runtime.GOMAXPROCS(0); threads > cpus {
		note(fmt.Sprintf("%d threads are more than the %d %s that there are, and slower for it; --threads 0 is one for each", threads, cpus, words.Plural("CPU", cpus)))
	}
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

// inShort is why there is no GPU in a few words: what happened, without what to do.
func inShort(err error) string {
	var short interface{ Short() string }
	if errors.As(err, &short) {
		return short.Short()
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	line, _, _ = strings.Cut(line, "; ")
	return strings.TrimPrefix(line, "cuda: ")
}

// firstLine is an error in one line. What is left out "stheno devices --verbose" tells.
func firstLine(err error) string {
	line, more, _ := strings.Cut(err.Error(), "\n")
	if more != "" {
		line += "; " + byName("details: stheno devices --verbose")
	}
	return line
}

// describeEngine is what an engine says of itself, such as "cpu with 2 threads, avx512 kernels".
func describeEngine(e graph.Engine) string {
	if s, ok := e.(fmt.Stringer); ok {
		return s.String()
	}
	return e.Name()
}

// computes says what an engine computes with, and how, unless it is the CPU's fp32: "cuda:0, NVIDIA H200 with compute capability 9.0,
// precision tf32".
func computes(e graph.Engine) string {
	p, ok := e.(interface{ Precision() string })
	if !ok || isFP32(e) {
		return describeEngine(e)
	}
	return describeEngine(e) + ", precision " + p.Precision()
}

// isPlain says whether an engine is the CPU's in fp32, which so far follows no choices of ways but its own: it needs no words beside a result.
func isPlain(e graph.Engine) bool {
	c, ok := e.(*cpu.Engine)
	return ok && isFP32(e) && c.Choices() == 0
}

// isFP32 says whether an engine is the CPU's in fp32.
func isFP32(e graph.Engine) bool {
	c, ok := e.(*cpu.Engine)
	return ok && c.Precision() == train.FP32
}
