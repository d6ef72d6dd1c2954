package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/thousands"
	"github.com/stheno-ml/stheno/internal/words"
	"github.com/stheno-ml/stheno/train"
)

func newTrain() *cobra.Command {
	c := train.DefaultConfig()
	var where source
	var ways *tuning
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a network; without flags, SimpleCNN on CIFAR-100",
		Long: `Train a network and keep its history and checkpoints in a folder.

Without flags: SimpleCNN on CIFAR-100, found in the user's cache folder, else downloaded; without a network, on a small
built-in set of images. With --data or --data-dir it is that set or an error. Ctrl-C saves and says how to go on.

The loss that is printed includes the L2 penalties of the network's weights (resnet50 has them), in validation too, as
Keras reports it.

--weights begins with pretrained weights instead of random ones, of whatever "stheno convert" reads: with --arch those of that network, else with the
network in the file. What does not fit is an error that lists it, but for the classifier, which begins anew where the classes are others.
--freeze backbone trains the classifier alone.

--recipe takes settings that are known to train a network well, which flags then change: "stheno recipes" lists them.

Optimizers and their options, such as --optimizer rmsprop:momentum=0.9,centered:` + optimizerHelp(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Recipe == recipeList {
				return listRecipes(cmd.OutOrStdout())
			}
			out := newScreen(cmd)
			defer out.Finish()
			notes := hold(out.Note, cmd.ErrOrStderr())
			said, err := recipeOf(cmd.Flags(), &c, &notes.text)
			if err == nil && !c.Resume {
				err = said.check(cmd, func() error { return pretrained(cmd.Flags(), &c) })
			}
			if err == nil && !c.Resume {
				err = said.check(cmd, func() error { return checkFlags(cmd.Flags(), c) })
			}
			if err == nil && c.Resume { // to be compared with what is recorded
				err = absolute(&c.Weights)
			}
			if err != nil {
				return err
			}
			return runTrain(cmd, c, where, ways, out, notes)
		},
	}
	configFlags(cmd.Flags(), &c)
	ways = tuningFlag(cmd.Flags())
	where.offlineFlag(cmd.Flags())
	where.modifiedFlag(cmd.Flags())
	return cmd
}

func runTrain(cmd *cobra.Command, c train.Config, where source, ways *tuning, out *screen, notes *held) (err error) {
	if err := checkProfile(cmd.Flags(), c); err != nil {
		return err
	}
	if c, err = configure(cmd.Flags(), c, &notes.text); err != nil {
		return err
	}
	if !c.Resume && c.Out != "" { // before any data is downloaded or read
		if err := train.CheckNewOutDir(c.Out); err != nil {
			return err
		}
	}
	if err := recordedDir(cmd.Flags(), c); err != nil {
		return err
	}
	if err := namesPictures(c.Data, c.DataDir); err != nil {
		return err
	}
	if err := openWeights(&c, notes.Note); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGPIPE) // `stheno train | head` is a run whose output nobody reads any more; see screen
	if err := waysOf(cmd.Flags(), &c, ways, notes.Note); err != nil {
		return err
	}
	scaledRate(c, notes.Note)
	engine, err := device{name: c.Device, threads: c.Threads, precision: c.Precision, tuning: ways, nondeterministic: c.Nondeterministic,
		recordedName:      c.Resume && !cmd.Flags().Changed("device"),
		recordedPrecision: c.Resume && !cmd.Flags().Changed("precision")}.open(cmd.Context(), notes.Note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	where.dir = c.DataDir
	o, err := where.options(cmd.Flags(), out)
	if err != nil {
		return err
	}
	notes.release()
	ofPictures(&o, c.Data, out)
	o.Size, o.ValSplit = c.Size, c.ValSplit
	asked := cmd.Flags().Changed("data") || cmd.Flags().Changed("data-dir")
	split, err := openData(cmd.Context(), &c, o, out, asked)
	if err != nil {
		return err
	}
	if c.Out == "" {
		if c.Out, err = claimOut("runs", fmt.Sprintf("%s-%s-%s", nameOfNetwork(c), c.Data, time.Now().Format("20060102-150405"))); err != nil {
			return err
		}
		defer func() { // what stayed empty, as nothing was begun
			_ = os.Remove(c.Out)
			_ = os.Remove(filepath.Dir(c.Out))
		}()
	}
	if c.Resume {
		forgetTuning(cmd.Flags(), &c, engine)
	}
	c.Engine, c.Version = computes(engine), version()
	t, err := train.New(c, split, engine, out)
	if stopped := cmd.Context().Err(); c.Resume && stopped != nil && errors.Is(err, stopped) { // while a GPU's ways were measured
		out.Printf("interrupted before a step was done\nresume with: %s", resumption(c))
		return train.ErrInterrupted
	}
	if err != nil {
		return otherSize(err, c, split)
	}
	c = t.Config()
	ways.followed(out.Note, engine)
	out.header(c, split, t)
	out.Watch()
	err = aboutDamaged(t.Run(cmd.Context()), c.DataDir, c.ValSplit)
	closeErr := t.Close()
	out.Finish()
	switch {
	case errors.Is(err, train.ErrInterrupted):
		out.Printf("interrupted; saved %s\nresume with: %s", t.Checkpoint(), resumption(c))
		if closeErr != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "error:", closeErr)
		}
	case err == nil:
		out.Printf("done: %s\npredict with: %s predict --run %s IMAGE...", filepath.Join(c.Out, train.HistoryFileName), programName, quoted(c.Out))
	case t.Checkpoint() != "" && !strings.Contains(err.Error(), "--resume") && !diverged(err): // those say themselves what to do
		err = fmt.Errorf("%w\n    the newest checkpoint is %s; resume with: %s", err, t.Checkpoint(), resumption(c)+pastDamaged(err))
	}
	return errors.Join(err, closeErr)
}

// nameOfNetwork is what a run's folder is called by.
func nameOfNetwork(c train.Config) string {
	if c.Arch == "" && c.Pretrained != nil {
		return c.Pretrained.Arch()
	}
	return c.Arch
}

// scaledRate notes, when a run begins, that its learning rate is not the one that was asked for.
func scaledRate(c train.Config, note func(string)) {
	if !c.Resume && c.LearningRate() != c.LR {
		note(fmt.Sprintf("learning rate %s; --lr-batch 0 takes it as it is", rateFor(c)))
	}
}

// rateFor is the learning rate of a configuration with what --lr-batch makes of it: "0.1 for batches of 128: 0.05 for 64".
func rateFor(c train.Config) string {
	rate := c.LearningRate()
	if rate == c.LR {
		return fmt.Sprint(c.LR)
	}
	return fmt.Sprintf("%g for batches of %d: %.6g for %d", c.LR, c.LRBatch, rate, c.Batch*max(c.Accumulate, 1))
}

// waysOf finds the table that a run follows, and records it if it is a file that the user named. A run that is resumed follows what it
// followed before, unless the user wants something else.
func waysOf(f *pflag.FlagSet, c *train.Config, ways *tuning, note func(string)) (err error) {
	switch {
	case !c.Resume || f.Changed("tuning"):
		if c.TuningFile = ways.file(); c.TuningFile != "" {
			c.TuningFile, err = filepath.Abs(c.TuningFile)
		}
		return err
	case c.Tuning == "": // a table that was made meanwhile would change bits
		ways.value = tuningOff
	case c.TuningFile != "":
		if _, err := loadTuning(c.TuningFile); err != nil { // what is lost by that is noted when it is known
			note(byName(fmt.Sprintf("the run's convolutions were tuned (%s) with %s, which cannot be used any more: %v", c.Tuning, c.TuningFile, err)))
			ways.value = tuningOff
			return nil
		}
		ways.value, ways.onCPU = c.TuningFile, true
	}
	return nil
}

// forgetTuning takes the choices out of a resumed run's configuration that it cannot be expected to follow on the engine: those of another
// kind of device, and those of a GPU where the user does without. The run then goes on without a note about them.
func forgetTuning(f *pflag.FlagSet, c *train.Config, e graph.Engine) {
	was := strings.HasPrefix(c.Engine, "cuda")
	off := f.Changed("tuning") && strings.EqualFold(f.Lookup("tuning").Value.String(), tuningOff)
	if was != graph.IsRemote(e) || was && off {
		c.Tuning = ""
	}
}

func diverged(err error) bool {
	_, ok := errors.AsType[*train.DivergedError](err)
	return ok
}

// header says what is about to be trained.
func (s *screen) header(c train.Config, split *data.Split, t *train.Trainer) {
	total, trainable, _ := t.Model().CountParams()
	s.Printf("%s: %s parameters (%s trainable), %s, %d training and %d test images", c.Arch, thousands.Format(total), thousands.Format(trainable),
		split.Title, imagesOf(split.Train, c.LimitTrain), imagesOf(split.Test, c.LimitTest))
	if p, err := t.Plan(); err == nil && (c.MemoryBudget > 0 || p.Recompute != graph.RecomputeOff) {
		s.Printf("a step's values take %s, with recomputation %s", memory(p.PeakBytes()), p.Recompute)
	}
	s.Printf("%s; %s, learning rate %g, %s; batch %d; seed %d; into %s", c.Engine, c.Optimizer, c.LearningRate(), c.Schedule, c.Batch, c.Seed, c.Out)
	if dir := c.TensorBoardDir(); dir != "" {
		s.Printf("look with: tensorboard --logdir %s", quoted(dir))
	}
	if !c.Resume {
		return
	}
	if t.Checkpoint() != "" {
		s.Printf("resuming from %s: %s", t.Checkpoint(), done(t.State()))
	}
	if why := t.Stopped(); why != "" {
		s.Printf("the run was stopped early after epoch %d: %s; to go on, raise its patience (%s) with --early-stop", t.State().Epoch, why, c.EarlyStop)
	} else if t.State().Epoch >= c.Epochs {
		s.Printf("the run of %d %s is done; raise --epochs to go on", c.Epochs, words.Plural("epoch", c.Epochs))
	}
}

// done says where a run stands. All steps are counted, not those of an epoch.
func done(s train.State) string {
	begun := ""
	if s.Batch > 0 {
		begun = fmt.Sprintf(", epoch %d begun", s.Epoch+1)
	}
	return fmt.Sprintf("%d %s done%s; %d %s in all", s.Epoch, words.Plural("epoch", s.Epoch), begun, s.Step, words.Plural("step", s.Step))
}

// claimOut makes a folder for a run in parent that no other process has: name, or name-2, name-3, … when runs began in
// the same second.
func claimOut(parent, name string) (string, error) {
	for i := 1; ; i++ {
		path := filepath.Join(parent, name)
		if i > 1 {
			path += fmt.Sprintf("-%d", i)
		}
		err := os.MkdirAll(parent, 0o755) // each time: a process that failed takes its empty one away
		if err == nil {
			err = os.Mkdir(path, 0o755)
		}
		switch {
		case err == nil:
			return path, nil
		case !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) || i == maxClaims:
			return "", fmt.Errorf("the run's folder cannot be made: %w; name one with --out", err)
		}
	}
}

// maxClaims bounds the runs that begin in one second.
const maxClaims = 10000

// openData finds the data set of a configuration. asked says that the user named it or its place.
func openData(ctx context.Context, c *train.Config, o data.Options, out *screen, asked bool) (*data.Split, error) {
	open := data.OpenOrSample
	if c.Resume {
		o.AllowModified = true // what counts is that the files are those of the run: train.New compares their digests
	}
	if c.Resume || asked { // never other images than the user asked for or trained on before
		open = func(ctx context.Context, name string, o data.Options) (*data.Split, string, error) {
			s, err := data.Open(ctx, name, o)
			return s, "", err
		}
	}
	split, notice, err := open(ctx, c.Data, o)
	if err != nil {
		return nil, err
	}
	if notice != "" {
		out.Printf("%s", notice)
		c.Data = split.Name
	}
	return split, nil
}
