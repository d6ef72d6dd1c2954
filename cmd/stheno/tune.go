package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/bench"
	"github.com/stheno-ml/stheno/cpu"
	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/train"
)

// tune is the command of that name.
type tune struct {
	bench.Matrix
	modes      []string
	json, file string
	dry        bool
	cached     bool // the file is that of this CPU in the cache folder

	lines *progressLine
	table *cpu.Tuning
	done  map[cpu.Convolution]cpu.Measurement // in this run
}

func newTune() *cobra.Command {
	t := tune{done: map[cpu.Convolution]cpu.Measurement{}}
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Measure the ways to compute convolutions on this CPU, and use the fastest from now on",
		Long: `Measure all ways to compute the convolutions of networks, and their gradients, on this CPU, and keep what is fastest in a table in the
cache folder. train, eval, predict, bench and explain follow it; see their flag --tuning. Without a table, and for what it does not have, the
ways are chosen by estimated times, which are good guesses.

A choice is for images of one size, one batch size, one number of threads and one precision; flags take lists such as --batch 64,16.
Training also evaluates, in batches of 100: that is --mode inference --batch 100. Nothing else should run meanwhile. Ctrl-C keeps what was
measured. Ways differ in rounding, so results with and without a table, or with other tables, differ in the last bits.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&t.Archs, "arch", nil, "networks; "+seeArchitectures()+" (default: "+strings.Join(bench.Usual(), ", ")+")")
	f.IntSliceVar(&t.Sizes, "size", nil, "rows and columns of the images (default: 32, for resnet50 also 224)")
	f.IntVar(&t.Classes, "classes", 100, "number of classes")
	f.IntSliceVar(&t.Batches, "batch", nil, "images per step (default: 32, or 16 of 224x224; in inference also 1)")
	f.IntSliceVar(&t.Threads, "threads", nil, "CPU threads (default: 0, one per core)")
	f.StringSliceVar(&t.modes, "mode", []string{"both"}, "train, inference, both")
	f.StringSliceVar(&t.Precisions, "precision", []string{train.FP32}, precisionUsage)
	f.StringVar(&t.file, "output", "", "file of the table (default: that of this CPU in the cache folder)")
	f.BoolVar(&t.dry, "dry-run", false, "measure and print, and leave the table as it is")
	f.StringVar(&t.json, "json", "", "file for what was measured as JSON; - writes it to standard output, instead of the tables")
	return cmd
}

func (t *tune) run(cmd *cobra.Command) error {
	cases, err := t.cases()
	if err != nil {
		return err
	}
	t.lines = newProgressLine(cmd, t.json == "-")
	if err := t.begin(cmd.Flags().Changed("output")); err != nil {
		return err
	}
	for _, threads := range t.Threads {
		noteThreads(threads, t.lines.note)
	}
	report := tuneReport{CPU: t.table.CPU(), Level: t.table.Level(), Cases: []*tunedCase{}}
	for i, c := range cases {
		var r *tunedCase
		r, err = t.measure(cmd.Context(), c, fmt.Sprintf("%d/%d  ", i+1, len(cases)))
		if r != nil {
			report.Cases = append(report.Cases, r)
			if t.json != "-" {
				t.lines.clear()
				fmt.Fprint(cmd.OutOrStdout(), r.text())
				if r.inVain() {
					fmt.Fprint(cmd.OutOrStdout(), t.advice())
				}
			}
		}
		if err != nil {
			break
		}
	}
	t.lines.clear()
	if err != nil && cmd.Context().Err() == nil {
		return err
	}
	// What was measured before an interruption is worth as much as ever.
	return errors.Join(err, t.write(cmd, &report))
}

// cases are those of the flags.
func (t *tune) cases() ([]bench.Case, error) {
	for _, m := range t.modes {
		if m == "both" {
			t.Modes = append(t.Modes, bench.Modes()...)
		} else {
			t.Modes = append(t.Modes, bench.Mode(m))
		}
	}
	slices.Sort(t.Modes)
	t.Modes = slices.Compact(t.Modes)
	slices.Reverse(t.Modes) // training first
	t.Devices = []string{"cpu"}
	cases, err := t.Matrix.Cases()
	for _, p := range t.Precisions { // told now, and not when its turn comes
		if err == nil {
			err = cpu.CheckPrecision(p)
		}
	}
	return cases, err
}

// begin finds the files to write, and reads the table that measurements are added to. What would keep it from being written is told now,
// and not after the measurements.
func (t *tune) begin(named bool) (err error) {
	cache, noCache := tuningPath()
	switch {
	case named && t.file == "": // such as of a variable that is not set
		return errors.New("--output is empty; name a file, or leave it out for the table of this CPU in the cache folder")
	case named:
		if err := inFolder("output", t.file); err != nil {
			return err
		}
	case noCache != nil:
		return fmt.Errorf("there is no cache folder for the table: %w; name a file with --output", noCache)
	default:
		t.file = cache
		if !t.dry {
			if err := os.MkdirAll(filepath.Dir(t.file), 0o755); err != nil {
				return fmt.Errorf("the folder of the table: %w; name a file with --output", err)
			}
		}
	}
	t.cached = noCache == nil && filepath.Clean(t.file) == cache
	if t.json != "" && t.json != "-" {
		if err := inFolder("json", t.json); err != nil {
			return err
		}
		if filepath.Clean(t.json) == filepath.Clean(t.file) {
			return fmt.Errorf("--json and the table are one file, %s; they are two", t.json)
		}
	}
	t.table, err = t.existing(t.lines.note)
	otherCPU(t.table, t.file, t.lines.note)
	return err
}

// inFolder refuses the file of a flag whose folder there is not.
func inFolder(flag, file string) error {
	if info, err := os.Stat(filepath.Dir(file)); err != nil || !info.IsDir() {
		return fmt.Errorf("--%s %s: there is no folder %s to write it to", flag, file, filepath.Dir(file))
	}
	return nil
}

// existing is the table in the file, a new one where there is none, or an error where something else is there that is not to be lost: only
// what is damaged or outdated in the cache folder, where nobody but this command writes, is replaced.
func (t *tune) existing(note func(string)) (*cpu.Tuning, error) {
	empty := cpu.NewTuning(bench.ThisMachine().CPU)
	info, err := os.Stat(t.file)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Mode().IsRegular() && info.Size() == 0: // such as one that mktemp made
		return empty, nil
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file; name another for the table with --output", t.file)
	}
	table, err := loadTuning(t.file)
	wrong, ok := errors.AsType[*cpu.TuningError](err)
	switch {
	case !ok:
		return table, err
	case wrong.Newer:
		return nil, fmt.Errorf("%s is a table of a newer version: %s; name another file with --output, or delete this one", t.file, wrong.Reason)
	case !t.cached:
		return nil, fmt.Errorf("%s is no table that measurements can be added to: %s; name another file with --output, or delete this one", t.file, wrong.Reason)
	}
	note(fmt.Sprintf("the table in %s is replaced by a new one: %s", t.file, wrong.Reason))
	return empty, nil
}

// save adds what was measured to the table in the file as it is by now: another stheno tune may have written it since.
func (t *tune) save() error {
	defer lockFolder(filepath.Dir(t.file))()
	table, err := t.existing(func(string) {}) // noted at the beginning
	if err != nil {
		return fmt.Errorf("what was measured is not kept: %w", err)
	}
	for _, m := range t.done {
		table.Add(m)
	}
	t.table = table
	return atomicfile.WriteFile(t.file, t.table.WriteJSON)
}

// advice is what to do where a whole step gains nothing from the choices.
func (t *tune) advice() string {
	s := fmt.Sprintf("which is not faster: measure again while nothing else runs, or leave the choices out with --tuning %s", tuningOff)
	if !t.dry {
		s += ", or for good by deleting " + t.file
	}
	return s + "\n"
}

// measure measures the convolutions of a case. When ctx ends it returns what it has, and the error.
func (t *tune) measure(ctx context.Context, c bench.Case, number string) (r *tunedCase, err error) {
	t.lines.under(number + "preparing")
	plain, err := cpu.New(cpu.Config{Threads: c.Threads, Precision: c.Precision})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	c.Threads = plain.Threads()
	s, err := bench.Prepare(plain, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	list, count, err := plain.Convolutions(s.Plan())
	if err != nil {
		return nil, err
	}
	r = &tunedCase{Case: c, All: len(list), Convolutions: []tunedConvolution{}}
	said := time.Now()
	for i, conv := range list {
		m, ok := t.done[conv]
		if !ok {
			t.lines.under(fmt.Sprintf("%s%v: %s %d/%d  %v, %s", number, c, textBar(i, len(list)), i, len(list), conv, conv.Pass()))
			if t.lines.terminal == nil && time.Since(said) > plainEvery {
				said = time.Now()
				fmt.Fprintf(t.lines.to, "%v: %d of %d convolutions\n", c, i, len(list))
			}
			if m, err = plain.Measure(ctx, conv, s.Plan().PeakBytes()); err != nil {
				return r, err
			}
			t.done[conv] = m
			t.table.Add(m)
		}
		r.add(m, count[conv])
	}
	if r.Others == 0 {
		return r, nil
	}
	t.lines.under(fmt.Sprintf("%s%v: timing the whole", number, c))
	tuned, err := cpu.New(cpu.Config{Threads: c.Threads, Precision: c.Precision, Tuning: t.table})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, tuned.Close()) }()
	return r, r.compare(ctx, s, tuned)
}

// textBar is a bar for so many of all.
func textBar(done, all int) string {
	const width = 20
	n := width * done / max(all, 1)
	return "[" + strings.Repeat("=", n) + strings.Repeat("-", width-n) + "]"
}

// write writes the table and the report.
func (t *tune) write(cmd *cobra.Command, report *tuneReport) error {
	out := cmd.OutOrStdout()
	var failed error
	if len(t.done) == 0 && cmd.Context().Err() != nil {
		t.lines.note("nothing was measured before the interruption")
	}
	if len(t.done) > 0 && !t.dry {
		if failed = t.save(); failed == nil {
			report.File = t.file
			fmt.Fprintf(t.lines.to, "%s measured; the table of %s is %s\n", convolutions(len(t.done)), convolutions(t.table.Len()), t.file)
		}
	}
	switch t.json {
	case "":
	case "-":
		failed = errors.Join(failed, report.write(out))
	default:
		err := atomicfile.WriteFile(t.json, report.write)
		if err == nil {
			fmt.Fprintf(out, "report written to %s\n", t.json)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// convolutions counts them in words.
func convolutions(n int) string {
	return fmt.Sprintf("%d convolution%s", n, cmp.Or(map[bool]string{n != 1: "s"}[true], ""))
}
