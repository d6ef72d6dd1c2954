package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
)

// configFlags defines the flags that set c; their defaults are what c holds.
func configFlags(f *pflag.FlagSet, c *train.Config) {
	recipeFlag(f, c)
	f.StringVar(&c.Arch, "arch", c.Arch, "architecture; "+seeArchitectures())
	f.BoolVar(&c.BatchNorm, "batch-norm", c.BatchNorm, "vgg: batch normalization after every convolution (plain VGG-16 hardly starts to learn without it)")
	f.Float64Var(&c.Dropout, "dropout", c.Dropout, "vgg, alexnet, mobilenet, efficientnet: dropout rate of the last layers; vit: of all blocks (0: the network's own; alexnet's is 0.5, mobilenet's 0.001)")
	f.BoolVar(&c.NoL2, "no-l2", c.NoL2, "resnet: without the L2 regularizer (1e-4)")
	f.Float64Var(&c.BatchNormMomentum, "batch-norm-momentum", c.BatchNormMomentum, "vgg, resnet: how much running averages of batch normalization keep at each step (0: the network's own); PyTorch's momentum is 1 minus this")
	f.Float64Var(&c.BatchNormEpsilon, "batch-norm-epsilon", c.BatchNormEpsilon, "vgg, resnet, mobilenetv2: epsilon of batch normalization (0: the network's own)")
	architectureFlags(f, &c.Stem, &c.ResNetVersion, &c.Shortcuts)
	pretrainedFlags(f, c)
	f.StringVar(&c.Data, "data", c.Data, "data set: "+strings.Join(data.Names(), ", "))
	f.StringVar(&c.DataDir, "data-dir", c.DataDir, "folder or archive to look in before the cache folder; of --data folder, that of the pictures: DIR/train/CLASS/*.jpg, DIR/val/CLASS/*.jpg")
	f.IntVar(&c.Size, "size", c.Size, "--data folder: side of the images that pictures become (0: 224)")
	pictureFlags(f, c)
	f.IntVar(&c.LimitTrain, "limit-train", c.LimitTrain, "train on the first N images only, or of --data folder on N evenly spread over the classes (0: all)")
	f.IntVar(&c.LimitTest, "limit-test", c.LimitTest, "validate on the first N images only, or of --data folder on N evenly spread over the classes (0: all)")
	augmentFlags(f, c)
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "passes over the training images")
	f.IntVar(&c.Batch, "batch", c.Batch, "images per step")
	optimizerFlags(f, c)
	f.Float64Var(&c.LR, "lr", c.LR, "learning rate")
	f.IntVar(&c.LRBatch, "lr-batch", c.LRBatch, "images that --lr is for: steps of more or fewer have a rate in proportion (0: --lr as it is)")
	f.StringVar(&c.Schedule, "schedule", c.Schedule, "learning rate: "+strings.Join(train.ScheduleKinds(), ", ")+", with numbers as in step:30,60:0.1, cosine:0.01 or exponential:epochs=2,rate=0.9; +warmup:1 adds a warm-up in epochs")
	f.StringVar(&c.EarlyStop, "early-stop", c.EarlyStop, "end when a measure of the epochs is not better any more: patience=10, with min_delta, monitor=val_loss, start, baseline, restore (the best epoch's weights); off")
	accumulateFlag(f, c)
	lossFlags(f, c)
	f.IntVar(&c.SWA, "swa", c.SWA, "average the weights at the ends of epochs from epoch N on, and validate and save the averages (0: not)")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of weights, order and augmentation")
	recomputeFlags(f, c)
	deviceFlags(f, &c.Device, &c.Threads)
	precisionFlag(f, &c.Precision)
	deterministicFlag(f, &c.Nondeterministic)
	f.StringVar(&c.Out, "out", c.Out, "folder of the run (default runs/ARCH-DATA-TIME)")
	f.BoolVar(&c.Resume, "resume", c.Resume, "go on with the run in --out")
	f.IntVar(&c.Keep, "keep", c.Keep, "checkpoints to keep besides the best")
	f.IntVar(&c.SaveEvery, "save-every", c.SaveEvery, "save also every N steps (0: at the end of epochs)")
	boardFlags(f, c)
	f.StringVar(&c.Profile, "profile", c.Profile, "time every step of the plan: a table, and a trace for Perfetto, profile.txt and profile.json in the run's folder; --profile=FILE names others, which lie there too unless the name has a slash")
	f.Lookup("profile").NoOptDefVal = train.ProfileFileName
	f.IntVar(&c.ProfileSteps, "profile-steps", c.ProfileSteps, "steps to profile (0: all)")
}

// pretrainedFlags are those of a run that begins with pretrained weights.
func pretrainedFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Weights, "weights", c.Weights, "begin with the weights in a file that convert reads, or in the folder of a run; without --arch with the network there, too; a classifier for other classes begins anew")
	f.StringVar(&c.Reinit, "reinit", c.Reinit, "layers that begin anew instead, `patterns` with commas between them, such as fc1,fc2; head is the classifier, whatever it is called")
	freezeFlag(f, c)
	f.IntVar(&c.UnfreezeAt, "unfreeze-at", c.UnfreezeAt, "train all layers from epoch N on, with a new start of the optimizer (0: not)")
	f.Float64Var(&c.HeadRate, "head-lr-factor", c.HeadRate, "learning rate of the classifier and of what --reinit names, in multiples of --lr (0: 1)")
	pixelFlags(f, &c.RawPixels, &c.Mean, &c.Std)
}

func freezeFlag(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Freeze, "freeze", c.Freeze, "do not train: "+train.FreezeBackbone+" (all but the classifier), or layers by name, `patterns` with commas between them, such as conv1*,conv2_*; "+train.FreezeNone+" trains layers, too, that the file has frozen")
}

// pretrained looks at the flags of a new run that begins with weights. The file is read when they are found sound.
func pretrained(f *pflag.FlagSet, c *train.Config) error {
	switch {
	case f.Changed("weights") && c.Weights == "": // such as of a variable that is not set
		return errors.New("--weights= is empty; name a file, or the folder of a run")
	case c.Weights == "" && c.Freeze != "":
		return errors.New("--freeze goes with --weights: layers that are not trained keep their random weights otherwise")
	case c.Standardise && (c.RawPixels || len(c.Mean)+len(c.Std) > 0):
		return errors.New("--standardise computes mean and deviation of the images; give it, or --mean and --std, or --raw-pixels")
	case c.Weights == "":
		return nil
	}
	if !f.Changed("arch") {
		c.Arch = ""
	}
	return absolute(&c.Weights)
}

// absolute makes a path that is recorded mean the same wherever it is read.
func absolute(path *string) (err error) {
	if *path != "" {
		*path, err = filepath.Abs(*path)
	}
	return err
}

// openWeights reads the file that a new run begins with, before data is downloaded or read.
func openWeights(c *train.Config, note func(string)) (err error) {
	if c.Weights == "" || c.Resume {
		return nil
	}
	if c.Pretrained, err = train.OpenPretrained(c.Weights); err != nil {
		return err
	}
	if c.Arch == "" && c.Pretrained.Arch() == "" {
		return fmt.Errorf("%s holds weights and no network; name the one that they are for with --arch: %s", c.Pretrained.Path, seeArchitectures())
	}
	if c.Data != data.FolderName || c.Size != 0 || c.Arch != "" && c.Arch != c.Pretrained.Arch() {
		return nil
	}
	if in := c.Pretrained.Input(); in[0] > 0 && in[0] == in[1] && in[0] != data.FolderSize {
		c.Size = in[0]
		note(fmt.Sprintf("pictures become %s, as the network in %s takes them", byText(in), c.Pretrained.Path))
	}
	return nil
}

// boardFlags are those of TensorBoard.
func boardFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.TensorBoard, "tensorboard", c.TensorBoard, "tell TensorBoard of every epoch, in the folder tensorboard of the run's; --tensorboard=DIR names another, which lies there too unless the name has a slash")
	f.Lookup("tensorboard").NoOptDefVal = train.TensorBoardName
	f.IntVar(&c.TensorBoardSteps, "tensorboard-steps", c.TensorBoardSteps, "tell TensorBoard also of every N-th batch (0: not)")
	f.IntVar(&c.TensorBoardHistograms, "tensorboard-histograms", c.TensorBoardHistograms, "tell TensorBoard how all weights are distributed, every N epochs (0: not)")
}

// augmentFlags are those of what is done to training images.
func augmentFlags(f *pflag.FlagSet, c *train.Config) {
	f.BoolVar(&c.Augment, "augment", c.Augment, "random crop with padding 4, or of --data folder random resized crop, and horizontal flip")
	f.IntVar(&c.Cutout, "cutout", c.Cutout, "set a square of N×N pixels at a random place of every training image to the mean (0: not)")
	f.Float64Var(&c.Mixup, "mixup", c.Mixup, "mix training images in pairs, by shares drawn from Beta(ALPHA, ALPHA), such as 0.2 (0: not)")
	f.BoolVar(&c.Standardise, "standardise", c.Standardise, "per-channel mean 0 and deviation 1 instead of 0 to 1")
}

func accumulateFlag(f *pflag.FlagSet, c *train.Config) {
	f.IntVar(&c.Accumulate, "accumulate", c.Accumulate, "batches whose gradients make one step (0: 1)")
}

// recomputeFlags are those that trade time for memory.
func recomputeFlags(f *pflag.FlagSet, c *train.Config) {
	f.StringVar(&c.Recompute, "recompute", cmp.Or(c.Recompute, graph.RecomputeOff.String()),
		"compute results of the forward pass again to save memory: off, cheap, segments, segments:N; changes no result")
	f.Var((*byteCount)(&c.MemoryBudget), "memory-budget", "memory for a training step's values, such as 2GiB; computes again as little as it takes (0: no limit)")
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

// checkFlags refuses what is wrong with a new run's flags whatever its data and its machine are; devices are those that --device takes
// besides deviceNames.
func checkFlags(f *pflag.FlagSet, c train.Config, devices ...string) error {
	if err := checkMomentum(f, c.Optimizer); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	if err := data.Known(c.Data); err != nil {
		return err
	}
	return knownDevice(c.Device, devices...)
}

// mayChange are the flags that may differ from the first part of a resumed run; any other would make it another run.
var mayChange = map[string]bool{"epochs": true, "threads": true, "device": true, "data-dir": true, "keep": true, "save-every": true,
	"skip-damaged": true, "recompute": true, "memory-budget": true, "out": true, "resume": true, "offline": true, "allow-modified": true,
	"profile": true, "profile-steps": true, "early-stop": true, "tensorboard": true, "tensorboard-steps": true, "tensorboard-histograms": true}

// configure completes the flags, which checkFlags looked at: for a resumed run, with the configuration that it began with.
func configure(flags *pflag.FlagSet, c train.Config, stderr io.Writer) (train.Config, error) {
	if !c.Resume {
		return c, nil
	}
	if c.Out == "" {
		return c, errors.New("--resume needs --out, the folder of the run")
	}
	if _, err := os.Stat(c.Out); errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%s cannot be resumed: there is no such folder; name that of a run with --out, or leave --resume out to begin one", c.Out)
	}
	saved, notice, err := train.ReadConfig(c.Out)
	if err != nil {
		return c, fmt.Errorf("%s cannot be resumed: %w", c.Out, err)
	}
	if notice != "" {
		fmt.Fprintln(stderr, "note:", notice)
	}
	if err := sameRecipe(flags, c, saved, stderr); err != nil {
		return c, err
	}
	effective := rateFor(saved)
	was := pflag.NewFlagSet("", pflag.ContinueOnError)
	configFlags(was, &saved)
	var fixed []string
	flags.Visit(func(f *pflag.Flag) {
		switch old := was.Lookup(f.Name); {
		case old == nil || old.Value.String() == f.Value.String(): // --offline and the like, or the same as before
		case mayChange[f.Name]:
			err = errors.Join(err, old.Value.Set(f.Value.String()))
		case f.Name == "lr":
			fixed = append(fixed, fmt.Sprintf("--lr is %s there, not %s", effective, f.Value))
		default:
			fixed = append(fixed, fmt.Sprintf("--%s is %s there, not %s", f.Name, cmp.Or(old.Value.String(), "not given"), cmp.Or(f.Value.String(), "empty")))
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
	if saved.TensorBoard == "" { // how much it is told goes with it
		for name, n := range map[string]*int{"tensorboard-steps": &saved.TensorBoardSteps, "tensorboard-histograms": &saved.TensorBoardHistograms} {
			if !flags.Changed(name) {
				*n = 0
			}
		}
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
