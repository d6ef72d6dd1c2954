package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stheno-ml/stheno/internal/thousands"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
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
Keras reports it.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runTrain(cmd, c, where, ways) },
	}
	configFlags(cmd.Flags(), &c)
	ways = tuningFlag(cmd.Flags())
	where.offlineFlag(cmd.Flags())
	where.modifiedFlag(cmd.Flags())
	return cmd
}

// configFlags defines the flags that set c; their defaults are what c holds.
func configFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Arch, "arch", c.Arch, "architecture: "+strings.Join(arch.Names(), ", "))
	f.BoolVar(&c.BatchNorm, "batch-norm", c.BatchNorm, "vgg16: batch normalization after every convolution (plain VGG-16 hardly starts to learn without it)")
	f.Float64Var(&c.Dropout, "dropout", c.Dropout, "vgg16: dropout rate of the dense layers")
	f.BoolVar(&c.NoL2, "no-l2", c.NoL2, "resnet50: without the L2 regularizer (1e-4)")
	f.StringVar(&c.Data, "data", c.Data, "data set: "+strings.Join(data.Names(), ", "))
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "folder or archive to look in before the cache folder")
	f.IntVar(&c.LimitTrain, "limit-train", c.LimitTrain, "train on the first N images only (0: all)")
	f.IntVar(&c.LimitTest, "limit-test", c.LimitTest, "validate on the first N images only (0: all)")
	f.BoolVar(&c.Augment, "augment", c.Augment, "random crop with padding 4 and horizontal flip")
	f.BoolVar(&c.Standardise, "standardise", c.Standardise, "per-channel mean 0 and deviation 1 instead of 0 to 1")
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training images")
	f.IntVar(&c.Batch, "batch", c.Batch, "images per step")
	f.StringVar(&c.Optimizer, "optimizer", c.Optimizer, "optimizer: "+strings.Join(train.Optimizers(), ", "))
	f.Float64Var(&c.LR, "lr", c.LR, "learning rate")
	f.Float64Var(&c.Momentum, "momentum", c.Momentum, "sgd: momentum")
	f.BoolVar(&c.Nesterov, "nesterov", c.Nesterov, "sgd: Nesterov's look-ahead")
	f.Float64Var(&c.WeightDecay, "weight-decay", c.WeightDecay, "weight decay, added to the gradient")
	f.StringVar(&c.Schedule, "schedule", c.Schedule, "learning rate: constant, step:30,60:0.1, cosine; +warmup:1 adds a warm-up in epochs")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of weights, order and augmentation")
	recomputeFlags(f, c)
	deviceFlags(f, &c.Device, &c.Threads)
	precisionFlag(f, &c.Precision)
	f.StringVar(&c.Out, "out", c.Out, "folder of the run (default runs/ARCH-DATA-TIME)")
	f.BoolVar(&c.Resume, "resume", c.Resume, "go on with the run in --out")
	f.IntVar(&c.Keep, "keep", c.Keep, "checkpoints to keep besides the best")
	f.IntVar(&c.SaveEvery, "save-every", c.SaveEvery, "save also every N steps (0: at the end of epochs)")
	f.StringVar(&c.Profile, "profile", c.Profile, "time every step of the plan: a table, and a trace for Perfetto in the run's folder, or in --profile=FILE.json")
	f.Lookup("profile").NoOptDefVal = train.ProfileFileName
	f.IntVar(&c.ProfileSteps, "profile-steps", c.ProfileSteps, "steps to profile (0: all)")
}

// recomputeFlags are those that trade time for memory.
func recomputeFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Recompute, "recompute", cmp.Or(c.Recompute, graph.RecomputeOff.String()),
		"compute results of the forward pass again to save memory: off, cheap, segments, segments:N; changes no result")
	f.Var((*byteCount)(&c.MemoryBudget), "memory-budget", "memory for a training step's values, such as 2GiB; computes again as little as it takes (0: no limit)")
}

func runTrain(cmd *cobra.Command, c train.Config, where source, ways *tuning) (err error) {
	if err := checkProfile(cmd.Flags(), c); err != nil {
		return err
	}
	if c, err = configure(cmd.Flags(), c, cmd.ErrOrStderr()); err != nil {
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
	signal.Ignore(syscall.SIGPIPE) // `stheno train | head` is a run whose output nobody reads any more; see screen
	out := newScreen(cmd)
	defer out.Finish()
	if c.Resume && c.Tuning == "" && !cmd.Flags().Changed("tuning") { // a table that was made meanwhile would change bits
		ways.value = tuningOff
	}
	engine, err := device{name: c.Device, threads: c.Threads, precision: c.Precision, tuning: ways,
		recordedName:      c.Resume && !cmd.Flags().Changed("device"),
		recordedPrecision: c.Resume && !cmd.Flags().Changed("precision")}.open(out.Note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	where.dir = c.DataDir
	o, err := where.options(cmd.Flags(), out)
	if err != nil {
		return err
	}
	asked := cmd.Flags().Changed("data") || cmd.Flags().Changed("data-dir")
	split, err := openData(cmd.Context(), &c, o, out, asked)
	if err != nil {
		return err
	}
	if c.Out == "" {
		if c.Out, err = claimOut("runs", fmt.Sprintf("%s-%s-%s", c.Arch, c.Data, time.Now().Format("20060102-150405"))); err != nil {
			return err
		}
		defer func() { // what stayed empty, as nothing was begun
			_ = os.Remove(c.Out)
			_ = os.Remove(filepath.Dir(c.Out))
		}()
	}
	c.Engine, c.Version = computes(engine), version()
	t, err := train.New(c, split, engine, out)
	if err != nil {
		return err
	}
	out.header(c, split, t)
	out.Watch()
	err = t.Run(cmd.Context())
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
		err = fmt.Errorf("%w\n    the newest checkpoint is %s; resume with: %s", err, t.Checkpoint(), resumption(c))
	}
	return errors.Join(err, closeErr)
}

func diverged(err error) bool {
	_, ok := errors.AsType[*train.DivergedError](err)
	return ok
}

// checkProfile refuses what would come out only when the training is over.
func checkProfile(f *pflag.FlagSet, c train.Config) error {
	switch {
	case f.Changed("profile") && c.Profile == "": // such as of a variable that is not set
		return errors.New("--profile= is empty; name the file of the trace, or leave the = out to have it in the run's folder")
	case f.Changed("profile-steps") && c.Profile == "":
		return errors.New("--profile-steps goes with --profile")
	}
	if _, err := os.Stat(filepath.Dir(c.Profile)); err != nil {
		return fmt.Errorf("--profile: %w; make the folder, or leave the name out to have the file in the run's", err)
	}
	return nil
}

// header says what is about to be trained.
func (s *screen) header(c train.Config, split *data.Split, t *train.Trainer) {
	total, trainable, _ := t.Model().CountParams()
	s.Printf("%s: %s parameters (%s trainable), %s, %d training and %d test images", c.Arch, thousands.Format(total), thousands.Format(trainable),
		split.Title, imagesOf(split.Train, c.LimitTrain), imagesOf(split.Test, c.LimitTest))
	if p, err := t.Plan(); err == nil && (c.MemoryBudget > 0 || p.Recompute != graph.RecomputeOff) {
		s.Printf("a step's values take %s, with recomputation %s", memory(p.PeakBytes()), p.Recompute)
	}
	s.Printf("%s; %s, learning rate %g, %s; batch %d; seed %d; into %s", c.Engine, c.Optimizer, c.LR, c.Schedule, c.Batch, c.Seed, c.Out)
	if !c.Resume {
		return
	}
	if t.Checkpoint() != "" {
		s.Printf("resuming from %s: %d epochs and %d steps done", t.Checkpoint(), t.State().Epoch, t.State().Step)
	}
	if t.State().Epoch >= c.Epochs {
		s.Printf("all %d epochs are done; raise --epochs to go on", c.Epochs)
	}
}

// mayChange are the flags that may differ from the first part of a resumed run; any other would make it another run.
var mayChange = map[string]bool{"epochs": true, "threads": true, "device": true, "data-dir": true, "keep": true, "save-every": true,
	"recompute": true, "memory-budget": true, "out": true, "resume": true, "offline": true, "allow-modified": true,
	"profile": true, "profile-steps": true}

// configure completes the flags: for a resumed run, with the configuration that it began with.
func configure(flags *pflag.FlagSet, c train.Config, stderr io.Writer) (train.Config, error) {
	if !c.Resume {
		if c.Optimizer == "adam" {
			if flags.Changed("momentum") {
				return c, errors.New("--momentum goes with --optimizer sgd, not adam")
			}
		}
		return c, c.Validate()
	}
	if c.Out == "" {
		return c, errors.New("--resume needs --out, the folder of the run")
	}
	saved, notice, err := train.ReadConfig(c.Out)
	if err != nil {
		return c, fmt.Errorf("%s cannot be resumed: %w", c.Out, err)
	}
	if notice != "" {
		fmt.Fprintln(stderr, "note:", notice)
	}
	was := pflag.NewFlagSet("", pflag.ContinueOnError)
	configFlags(was, &saved)
	var fixed []string
	flags.Visit(func(f *pflag.Flag) {
		switch old := was.Lookup(f.Name); {
		case old == nil || old.Value.String() == f.Value.String(): // --offline and the like, or the same as before
		case mayChange[f.Name]:
			err = errors.Join(err, old.Value.Set(f.Value.String()))
		default:
			fixed = append(fixed, fmt.Sprintf("--%s is %s there, not %s", f.Name, old.Value, f.Value))
		}
	})
	if err != nil {
		return c, err
	}
	switch { // the one takes the place of the other
	case flags.Changed("memory-budget") && !flags.Changed("recompute"):
		saved.Recompute = ""
	case flags.Changed("recompute") && !flags.Changed("memory-budget"):
		saved.MemoryBudget = 0
	}
	if len(fixed) > 0 {
		return c, fmt.Errorf("%s holds another run: %s; leave such flags out, or start a new run with another --out", c.Out, strings.Join(fixed, ", "))
	}
	return saved, saved.Validate()
}

// recordedDir refuses a resumed run whose recorded data folder is gone, where no other is named.
func recordedDir(flags *pflag.FlagSet, c train.Config) error {
	if !c.Resume || c.DataDir == "" || flags.Changed("data-dir") {
		return nil
	}
	if _, err := os.Stat(c.DataDir); err != nil {
		return fmt.Errorf("the data folder recorded in %s cannot be used: %w; name the place of the data set now with --data-dir", c.Out, err)
	}
	return nil
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
