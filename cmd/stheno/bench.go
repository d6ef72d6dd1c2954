package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/train"
)

// benchmark is the command bench.
type benchmark struct {
	bench.Matrix
	modes                []string
	list                 []string // net:size:batch:mode:precision
	classesGiven         bool
	seconds, budget      float64
	rounds               int
	unverified           bool
	json, roofline, plot string
	profile              string          // file
	profiles             strings.Builder // of the cases that were profiled
	tuning               *tuning

	nondeterministic bool
}

func newBench() *cobra.Command {
	b := benchmark{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Time training steps and inference, after their results were verified",
		Long: `Time training steps and inference of the networks on random images: every network with every batch size, number of threads, and so on;
flags take lists such as --batch 1,16,64. Without flags it takes about two minutes. --device cpu,cuda sets a GPU beside the CPU: see below.
--case resnet50:224:64:train:bf16,vgg16:32:512:inference:fp32 names cases instead, which have 1000 classes from images of 224x224 on, and 100 below.

Before a case is timed, its results are compared with a reference in float64 that shares no kernel with what is timed: the
loss, the gradients of all weights and their updates of a training step, the scores of inference. If they differ by more than rounding
explains, the command fails. Training steps of 1 to 5 images, and of networks with dropout, are verified with 8
instead, and the table says so.

On the CPU a training step is timed from the batch in memory to the loss, with SGD and momentum; inference from one run of the network to the next.
GFLOP/s are nominal, and of peak is their share of the multiplications and additions that the device can do, which is measured first.

A GPU is verified with the CPU's results in float32, and fed as training and evaluation feed it: with bytes for the next step while it
computes one; inference ends with the scores in memory. In its own precision the table has the share of what its arithmetic and its memory do at best,
the memory that it holds, the energy of an image where NVIDIA's management library tells it, and how many times as fast it is as the CPU.
A case that does not fit into its memory is a line below the table, and the others go on. Precisions that this CPU has not are left out
beside a GPU.

--json - writes the report alone to standard output. --plot draws images per second, --roofline the cases, or the kinds of operations of one
case. --profile FILE times every step of each case after its rounds, with the kernels that it is made of. --budget ends in time with what there
is, and says what was left out. --no-verify times without looking at results, and says so.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b.classesGiven = cmd.Flags().Changed("classes")
			for _, name := range []string{"arch", "size", "batch", "mode", "precision"} {
				if len(b.list) > 0 && cmd.Flags().Changed(name) {
					return fmt.Errorf("--case names whole cases; leave --%s out, or --case", name)
				}
			}
			return b.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&b.Archs, "arch", nil, "networks; "+seeArchitectures()+" (default: "+strings.Join(bench.Usual(), ", ")+")")
	f.IntSliceVar(&b.Sizes, "size", nil, "rows and columns of the images (default: 32, for resnet50 also 224)")
	f.IntVar(&b.Classes, "classes", 100, "number of classes")
	f.IntSliceVar(&b.Batches, "batch", nil, "images per step (default: 32, or 16 of 224x224; in inference also 1; on a GPU 64 and 512, or 256 of 224x224)")
	f.IntSliceVar(&b.Threads, "threads", nil, "CPU threads (default: 0, one per core)")
	f.StringSliceVar(&b.modes, "mode", []string{"both"}, "train, inference, both")
	f.StringSliceVar(&b.list, "case", nil, "cases one by one, net:size:batch:mode:precision, instead of the product of lists")
	f.StringSliceVar(&b.Devices, "device", []string{"cpu"}, "devices: "+strings.TrimPrefix(deviceList(), "auto, ")+"; cuda:N is the GPU with number N")
	f.StringSliceVar(&b.Precisions, "precision", []string{train.FP32}, precisionUsage)
	b.tuning = tuningFlag(f)
	deterministicFlag(f, &b.nondeterministic)
	f.Float64Var(&b.seconds, "seconds", 0.5, "least time of a round")
	f.IntVar(&b.rounds, "rounds", 5, "rounds of a case, of which the median counts")
	f.Float64Var(&b.budget, "budget", 0, "seconds for everything, which begins with measuring peaks; cases that no time is left for are left out (0: no limit)")
	f.BoolVar(&b.unverified, "no-verify", false, "do not compare results with a reference before timing")
	f.StringVar(&b.json, "json", "", "file for the report as JSON; - writes it to standard output, instead of the table")
	f.StringVar(&b.roofline, "roofline", "", "SVG file for a roofline plot")
	f.StringVar(&b.plot, "plot", "", "SVG file for bars of images per second")
	f.StringVar(&b.profile, "profile", "", "text file for the time of every step of each case, and its kernels")
	return cmd
}

func (b *benchmark) run(cmd *cobra.Command) error {
	lines := newProgressLine(cmd, b.json == "-")
	cases, err := b.cases(cmd.Context(), lines.note)
	if err != nil {
		return err
	}
	var engines []graph.Engine // of all cases
	report, err := bench.Run(cmd.Context(), bench.Config{Cases: cases, Seconds: b.seconds, Rounds: b.rounds, Profile: b.roofline != "" || b.profile != "",
		Budget: b.budget, NoVerify: b.unverified,
		Open: func(ctx context.Context, c bench.Case) (graph.Engine, error) {
			e, err := b.deviceOf(c).open(ctx, lines.note)
			if err == nil {
				engines = append(engines, e)
			}
			return e, err
		},
		Progress: func(e bench.Event) {
			if e.Phase == bench.Profiled {
				fmt.Fprintf(&b.profiles, "%v\n%v\n", e.Case, e.Profile)
				return
			}
			lines.show(e)
		},
	})
	lines.clear()
	if report != nil && b.json == "-" { // the table has them
		for _, note := range append(report.BusyNotes(), report.LeftOutLines()...) {
			lines.note(note)
		}
	}
	if err == nil {
		b.tuning.followed(lines.note, engines...)
	}
	return b.finish(cmd.OutOrStdout(), report, err)
}

// finish writes what was measured. That is worth as much as ever after an interruption, or where a later case failed: wrong says which.
func (b *benchmark) finish(out io.Writer, report *bench.Report, wrong error) error {
	none := report == nil || len(report.Cases)+len(report.LeftOut) == 0
	if small := (*bench.BudgetError)(nil); errors.As(wrong, &small) && b.json == "" {
		none = true // the report would say it again
	}
	if wrong != nil && none {
		return wrong
	}
	if failed, ok := wrong.(*bench.CasesError); ok { // and nothing else is wrong
		wrong = &failedCases{failed}
	}
	return errors.Join(wrong, b.write(out, report))
}

// failedCases are cases of which the report tells why they failed.
type failedCases struct{ *bench.CasesError }

func (e *failedCases) Error() string {
	return fmt.Sprintf("%d of the cases failed; \"left out\" above says why", len(e.Causes))
}

// cases are those of the flags.
func (b *benchmark) cases(ctx context.Context, note func(string)) ([]bench.Case, error) {
	switch {
	case !(b.seconds > 0 && b.seconds <= 3600):
		return nil, fmt.Errorf("--seconds wants a number above 0 and at most 3600, got %v", b.seconds)
	case b.rounds < 1:
		return nil, fmt.Errorf("--rounds wants at least 1, got %d", b.rounds)
	case !(b.budget >= 0):
		return nil, fmt.Errorf("--budget wants a number of seconds above 0, or 0 for no limit, got %v", b.budget)
	}
	if b.Classes < 2 {
		return nil, fmt.Errorf("--classes wants at least 2, got %d", b.Classes)
	}
	if err := b.files(); err != nil {
		return nil, err
	}
	for _, name := range b.modes {
		if all := append(modesOf([]string{"both"}), "both"); !slices.Contains(all, bench.Mode(name)) {
			names := []string{string(bench.Train), string(bench.Inference), "both"}
			return nil, fmt.Errorf("unknown mode %q%s", name, suggest.Then(name, names, "--mode takes "+strings.Join(names, ", ")))
		}
	}
	b.Modes = modesOf(b.modes)
	matrices := []bench.Matrix{b.Matrix}
	if len(b.list) > 0 {
		matrices = nil
	}
	for _, text := range b.list {
		m, err := b.named(text)
		if err != nil {
			return nil, err
		}
		matrices = append(matrices, m)
	}
	var cases []bench.Case
	for _, m := range matrices {
		more, err := m.Cases()
		if err != nil {
			return nil, err
		}
		cases = append(cases, more...)
	}
	if slices.ContainsFunc(cases, func(c bench.Case) bool { return c.Device == "cpu" }) {
		if _, err := b.tuning.table(note); err != nil {
			return nil, err
		}
		b.tuning.onCPU = true
	}
	return b.possible(ctx, cases, note)
}

// named is the case that a text of --case names, on each device.
func (b *benchmark) named(text string) (m bench.Matrix, err error) {
	m = bench.Matrix{Threads: b.Threads, Devices: b.Devices, Classes: b.Classes}
	f := strings.Split(text, ":")
	var size, batch int
	if len(f) == 5 {
		size, err = strconv.Atoi(f[1])
		if err == nil {
			batch, err = strconv.Atoi(f[2])
		}
	}
	if len(f) != 5 || err != nil || !slices.Contains(bench.Modes(), bench.Mode(f[3])) {
		return m, fmt.Errorf("--case wants net:size:batch:mode:precision, such as resnet50:224:64:train:bf16 or vgg16:32:512:inference:fp32, got %q", text)
	}
	if size >= 224 && !b.classesGiven {
		m.Classes = 1000
	}
	m.Archs, m.Sizes, m.Batches, m.Modes, m.Precisions = f[:1], []int{size}, []int{batch}, []bench.Mode{bench.Mode(f[3])}, f[4:]
	return m, nil
}

// files refuses what the report cannot be written to: now, and not after minutes.
func (b *benchmark) files() error {
	flags := []struct{ flag, file string }{{"json", b.json}, {"profile", b.profile}, {"roofline", b.roofline}, {"plot", b.plot}}
	for i, f := range flags {
		if f.file == "" || f.flag == "json" && f.file == "-" {
			continue
		}
		for _, other := range flags[:i] {
			if f.file == other.file {
				return fmt.Errorf("--%s and --%s name one file, %s; they are two", other.flag, f.flag, f.file)
			}
		}
		if f.flag != "json" && f.flag != "profile" && !strings.EqualFold(filepath.Ext(f.file), ".svg") {
			return fmt.Errorf("--%s %s: the plot is an SVG; name a file that ends in .svg", f.flag, f.file)
		}
		if info, err := os.Stat(filepath.Dir(f.file)); err != nil || !info.IsDir() {
			return fmt.Errorf("--%s %s: there is no folder %s to write it to", f.flag, f.file, filepath.Dir(f.file))
		}
	}
	return nil
}

// possible are the cases that the machine has the device for: one that there is not is to be told now, and not when its turn comes. Beside
// a GPU, precisions that this CPU has not are left out.
func (b *benchmark) possible(ctx context.Context, cases []bench.Case, note func(string)) ([]bench.Case, error) {
	onlyCPU := !slices.ContainsFunc(cases, func(c bench.Case) bool { return c.Device != "cpu" })
	tried := map[device]bool{} // whether it can be used
	var all []bench.Case
	for _, c := range cases {
		d := b.deviceOf(c)
		usable, known := tried[d]
		if !known {
			if d.name == "auto" {
				return nil, errors.New("--device auto: a benchmark names its devices; use " + strings.TrimPrefix(deviceList(), "auto, "))
			}
			e, err := d.open(ctx, func(string) {})
			switch {
			case err == nil:
				if err := e.Close(); err != nil {
					return nil, err
				}
				usable = true
			case !onlyCPU && c.Device == "cpu" && errors.Is(err, cpu.ErrPrecision):
				note(fmt.Sprintf("the CPU is left out in %s, which it has not", c.Precision))
			default:
				return nil, err
			}
			tried[d] = usable
		}
		if usable {
			all = append(all, c)
		}
	}
	return all, nil
}

// modesOf are the modes that flags name, "both" being all of them, in the order of bench.Modes. What is no mode comes last.
func modesOf(names []string) (modes []bench.Mode) {
	for _, m := range bench.Modes() {
		if slices.Contains(names, string(m)) || slices.Contains(names, "both") {
			modes = append(modes, m)
		}
	}
	for _, name := range names {
		if m := bench.Mode(name); name != "both" && !slices.Contains(modes, m) {
			modes = append(modes, m)
		}
	}
	return modes
}

func (b *benchmark) deviceOf(c bench.Case) device {
	return device{name: c.Device, threads: c.Threads, precision: c.Precision, tuning: b.tuning, nondeterministic: b.nondeterministic}
}

// write writes the report in the forms that were asked for.
func (b *benchmark) write(out io.Writer, report *bench.Report) error {
	var err error
	switch b.json {
	case "-":
		err = report.WriteJSON(out)
	case "":
		fmt.Fprint(out, report.Table())
	default:
		fmt.Fprint(out, report.Table())
		if err = atomicfile.WriteFile(b.json, report.WriteJSON); err == nil {
			fmt.Fprintf(out, "report written to %s\n", b.json)
		}
	}
	if b.profiles.Len() > 0 && b.profile != "" {
		wrote := atomicfile.WriteFile(b.profile, func(w io.Writer) error {
			_, err := io.WriteString(w, b.profiles.String())
			return err
		})
		if wrote == nil && b.json != "-" {
			fmt.Fprintf(out, "profiles written to %s\n", b.profile)
		}
		err = errors.Join(err, wrote)
	}
	for _, picture := range []struct {
		name, file string
		write      func(io.Writer) error
	}{{"roofline plot", b.roofline, report.WriteRoofline}, {"plot", b.plot, report.WriteBars}} {
		if picture.file == "" || len(report.Cases) == 0 {
			continue
		}
		drawn := atomicfile.WriteFile(picture.file, picture.write)
		if drawn == nil && b.json != "-" {
			fmt.Fprintf(out, "%s written to %s\n", picture.name, picture.file)
		}
		err = errors.Join(err, drawn)
	}
	return err
}
