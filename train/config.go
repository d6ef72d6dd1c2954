package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/nn"
	kerasfile "github.com/stheno-ml/stheno/weights/keras" // "keras" is an epsilon here
	"github.com/stheno-ml/stheno/weights/onnx"
)

// Config is everything that defines a run; run.json holds it. Two runs of one Config on one device with as many
// threads, and as much Tuning, are equal bit for bit. Paths and the number of threads are recorded for information.
type Config struct {
	Arch      string  `json:"arch"`
	BatchNorm bool    `json:"batch_norm,omitempty"` // vgg: convolutions followed by batch normalization
	Dropout   float64 `json:"dropout,omitempty"`    // vgg, alexnet, mobilenet; 0 is the network's own
	NoL2      bool    `json:"no_l2,omitempty"`      // resnet: without the reference's L2 regularizer

	Stem          arch.Stem          `json:"stem,omitempty"`           // resnet, alexnet: of small or of large images
	ResNetVersion arch.ResNetVersion `json:"resnet_version,omitempty"` // resnet: where strides and normalizations are
	Shortcuts     string             `json:"shortcuts,omitempty"`      // resnet20-cifar and its kin: arch.ShortcutA or arch.ShortcutB
	// SymmetricPadding, BatchNormEpsilon and Head are arch.Config's: networks of PyTorch that were converted have them.
	Head             []int   `json:"head,omitempty"`
	SymmetricPadding bool    `json:"symmetric_padding,omitempty"`
	BatchNormEpsilon float64 `json:"batch_norm_epsilon,omitempty"`
	// BatchNormMomentum is how much running averages keep of what they were, as in Keras; PyTorch's momentum is 1 minus this. 0 is the
	// network's own.
	BatchNormMomentum float64 `json:"batch_norm_momentum,omitempty"` // vgg, resnet
	RescaleInputs     bool    `json:"rescale_inputs,omitempty"`      // resnet: networks that were converted may have it

	// Model describes a network that was converted: where Arch is KerasArch, as keras.Model reads it, and where it is ONNXArch as base64 in
	// quotes of what onnx.Graph.Describe returns for models of images.
	Model json.RawMessage `json:"model,omitempty"`

	Data        string `json:"data"`                  // New sets it to the split's name
	DataDir     string `json:"data_dir,omitempty"`    // folder or archive the images were found in, "" for the cache; New makes it absolute
	Size        int    `json:"size,omitempty"`        // side of the images that pictures in a folder become, data.FolderName; 0 means data.FolderSize
	LimitTrain  int    `json:"limit_train,omitempty"` // so many training images, those of data.Dataset.Head; 0 means all
	LimitTest   int    `json:"limit_test,omitempty"`
	Augment     bool   `json:"augment,omitempty"`     // random crop with padding 4, or of pictures in a folder random resized crop; horizontal flip
	Cutout      int    `json:"cutout,omitempty"`      // side of the square that is cut out of training images: data.Augment's
	Standardise bool   `json:"standardise,omitempty"` // per-channel mean 0 and deviation 1 instead of 0…1

	// ValSplit is data.Options' share for validation of a folder of pictures without such, data.FolderName.
	ValSplit float64 `json:"val_split,omitempty"`
	// EXIF is EXIFApply or EXIFIgnore, of pictures in a folder; "" is the latter.
	EXIF string `json:"exif,omitempty"`
	// SkipDamaged puts others in the place of pictures that cannot be decoded, as data.LoaderConfig says. The parts of a run may differ in it.
	SkipDamaged bool `json:"skip_damaged,omitempty"`

	// Mixup, if above 0, mixes training images in pairs, as data.Augment's Mixup says. The accuracies of training then count the label of
	// the image with the larger share.
	Mixup float64 `json:"mixup,omitempty"`

	Epochs      int     `json:"epochs"`
	Batch       int     `json:"batch"`
	Optimizer   string  `json:"optimizer"` // one of Optimizers, with options as in "adam:beta_2=0.98,amsgrad"
	LR          float64 `json:"learning_rate"`
	LRBatch     int     `json:"learning_rate_batch,omitempty"` // images that LR is for: LearningRate; 0 means whatever there are
	Momentum    float64 `json:"momentum,omitempty"`            // sgd, unless Optimizer says it; New clears it for others
	Nesterov    bool    `json:"nesterov,omitempty"`
	WeightDecay float64 `json:"weight_decay,omitempty"` // as the optimizer does it: added to the gradient, or decoupled
	NoDecay     string  `json:"no_decay,omitempty"`     // a regular expression of names of weights without weight decay
	Schedule    string  `json:"schedule"`
	Seed        uint64  `json:"seed"`

	// What Base says of them.
	ClipValue      float64 `json:"clip_value,omitempty"`
	ClipNorm       float64 `json:"clip_norm,omitempty"`
	GlobalClipNorm float64 `json:"global_clip_norm,omitempty"`
	EMA            float64 `json:"ema,omitempty"`
	EMAOverwrite   int     `json:"ema_overwrite,omitempty"`
	// Loss is one of Losses, with options as in "sparse_categorical_focal_crossentropy:gamma=1.5"; "" is the first. It is validated with,
	// too, as in Keras.
	Loss string `json:"loss,omitempty"`
	// LabelSmoothing, from 0 to below 1, makes the targets (1−s)·one-hot + s/classes.
	LabelSmoothing float64 `json:"label_smoothing,omitempty"`
	// ClassWeight says how much the images of each class weigh in the loss of training: "balanced", in inverse proportion to how many
	// there are, or a number for each class with commas between them; "" means 1 for all. Keras: fit(class_weight).
	ClassWeight string `json:"class_weight,omitempty"`
	// SWA, if not 0, averages the weights at the end of every epoch from this one on, counted from 1. With it or EMA, what is validated, and
	// what checkpoints hold as the model, are the averages.
	SWA int `json:"swa,omitempty"`
	// Accumulate, if above 1, makes each update from the gradients of so many batches, or of what is left at the end of an epoch.
	Accumulate int `json:"accumulate,omitempty"`

	// Precision is how products of numbers of float32 are computed, one of Precisions; "" is FP32. Not every device has all of them:
	// where a run goes on on a CPU that lacks its precision, it does so in FP32.
	Precision string `json:"precision,omitempty"`
	// Nondeterministic allows a device ways to compute whose results differ in the last bits from run to run, such as sums in any order.
	Nondeterministic bool `json:"nondeterministic,omitempty"`

	// What memory may cost in time; neither changes a result, and the parts of a run may differ in them. At most one is set.
	Recompute    string `json:"recompute,omitempty"`     // what graph.ParseRecompute reads; "" is off
	MemoryBudget int    `json:"memory_budget,omitempty"` // bytes for the values of a training step; 0 means no limit

	Device    string `json:"device"`
	Threads   int    `json:"threads"`
	Keep      int    `json:"keep_checkpoints"`
	SaveEvery int    `json:"save_every_steps,omitempty"` // besides the end of every epoch; 0 means not
	// What the data set says, written down so that a checkpoint can be used without it. New fills it in.
	Input   [3]int   `json:"input"` // rows, columns, channels
	Classes []string `json:"classes"`
	// ClassWeights are what ClassWeight means.
	ClassWeights []float32 `json:"class_weights,omitempty"`

	Mean []float32 `json:"mean,omitempty"` // of the pixels on the scale 0…1, if Standardise
	Std  []float32 `json:"std,omitempty"`
	// RawPixels says that the network takes pixels of 0…255 as they are, without Mean and Std; one that was converted may.
	RawPixels bool `json:"raw_pixels,omitempty"`

	Images  [2]int   `json:"images"`             // training and test images, before limits
	DataMD5 []string `json:"data_md5,omitempty"` // of the data set's files

	// Recipe is the recipe that settings were taken from, for information: all of them are written down here.
	Recipe string `json:"recipe,omitempty"`

	// For information: what the run, or its latest part, was made with. Bits may differ between instruction sets.
	Engine  string `json:"engine,omitempty"`
	Version string `json:"version,omitempty"`
	// Tuning is a digest of the measured choices among ways to compute that the run, or its latest part, follows where they are not the
	// engine's own; "" where there are none. New fills it in, and notes where a run goes on with others: bits may then differ.
	Tuning string `json:"tuning,omitempty"`
	// TuningFile is the table that the user named for them, an absolute path; "" where none was named.
	TuningFile string `json:"tuning_file,omitempty"`

	Out    string `json:"-"` // folder of the run
	Resume bool   `json:"-"` // go on with the run in Out

	// GradientNorms, if not nil, is told how long gradients are.
	GradientNorms *GradientNorms `json:"-"`

	// Profile times the steps of training: the name of the trace to write, which lies in Out unless it has a folder. "" is off.
	Profile      string `json:"-"`
	ProfileSteps int    `json:"-"` // steps to time; 0 means all
}

// DefaultConfig is the main job: SimpleCNN on CIFAR-100, a few minutes on two cores. Its Momentum is for those who change
// the optimizer to sgd.
func DefaultConfig() Config {
	return Config{Arch: "simplecnn", Data: "cifar100", Epochs: 10, Batch: 64, Optimizer: "adam", LR: 0.001, Momentum: 0.9,
		Schedule: "cosine", Seed: 1, Device: "auto", Keep: 3}
}

// MaxThreads is the largest Config.Threads: more is a slip, and would cost stacks and buffers for each.
const MaxThreads = 1024

// FP32 is the precision that every device has.
const FP32 = "fp32"

// Precisions are the names of Config.Precision. TF32 rounds the factors of a product to 10 bits after the point, bf16 to 7; sums,
// weights and losses are float32 in all of them.
func Precisions() []string { return []string{FP32, "tf32", "bf16"} }

// CheckPrecision refuses what is not the name of a precision; "" is FP32.
func CheckPrecision(name string) error {
	if name != "" && !slices.Contains(Precisions(), name) {
		return unknown("precision", name, Precisions())
	}
	return nil
}

// identity is the configuration without what may differ between the parts of one run.
func (c Config) identity() Config {
	c.Epochs, c.DataDir, c.Device, c.Threads, c.Keep, c.SaveEvery = 0, "", "", 0, 0, 0
	c.Engine, c.Version, c.Tuning, c.TuningFile, c.Recipe = "", "", "", "", ""
	c.Out, c.Resume, c.Profile, c.ProfileSteps = "", false, "", 0
	c.Recompute, c.MemoryBudget, c.SkipDamaged = "", 0, false
	c.clearUnused()
	if s, err := parseOptimizer(c.Optimizer); err == nil { // other words for the same are the same run
		c.Optimizer = s.String()
	}
	if s, err := ParseSchedule(c.Schedule); err == nil {
		c.Schedule = s.String()
	}
	return c
}

// clearUnused sets what the optimizer does not use to zero, so that no run seems to have used it, and leaves out what says
// nothing.
func (c *Config) clearUnused() {
	if c.Recompute == graph.RecomputeOff.String() {
		c.Recompute = ""
	}
	if c.Precision == FP32 {
		c.Precision = ""
	}
	if c.EXIF == EXIFIgnore {
		c.EXIF = ""
	}
	if s, err := parseOptimizer(c.Optimizer); err == nil {
		if s.name != "sgd" || s.names("momentum") {
			c.Momentum = 0
		}
	}
	c.Loss = c.lossText()
	if c.Accumulate == 1 {
		c.Accumulate = 0
	}
}

// Recorded is the configuration in the words that a run is recorded in: without what the optimizer does not use, and what says nothing.
func (c Config) Recorded() Config {
	c.clearUnused()
	return c
}

// LearningRate is the rate that Schedule is relative to: LR, or where LRBatch is set LR for so many images an update, in proportion to how
// many there are (the linear scaling of Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.1).
func (c Config) LearningRate() float64 {
	if c.LRBatch == 0 {
		return c.LR
	}
	return c.LR * float64(c.Batch) * float64(max(c.Accumulate, 1)) / float64(c.LRBatch)
}

// Normalize is what the run's networks expect of pixels.
func (c Config) Normalize() data.Normalize {
	return data.Normalize{Raw: c.RawPixels, Mean: c.Mean, Std: c.Std}
}

// describe fills in what the data set says, and where a run is resumed checks first that it is the same data set.
func (c *Config) describe(split *data.Split) error {
	if split == nil || split.Train == nil || split.Test == nil {
		return errors.New("train: a run needs training and test images")
	}
	if c.Resume && split.Name != "" && split.Name != c.Data {
		return fmt.Errorf("train: the run in %s was made on %q, not on %q; give the same data set", c.Out, c.Data, split.Name)
	}
	c.Data = cmp.Or(split.Name, c.Data)
	images := [2]int{split.Train.Len(), split.Test.Len()}
	var md5 []string
	for _, f := range split.Files {
		md5 = append(md5, f.MD5)
	}
	if c.Resume {
		switch {
		case c.Input != split.Train.Shape || c.Images != images || !slices.Equal(c.Classes, split.Train.Classes):
			return fmt.Errorf("train: the run in %s was made on %d+%d images of %s in %d classes, %s has %d+%d of %s in %d; give the same data set%s",
				c.Out, c.Images[0], c.Images[1], sides(c.Input[:]), len(c.Classes), split.Title, images[0], images[1], sides(split.Train.Shape[:]),
				len(split.Train.Classes), putBack(split))
		case !slices.Equal(c.DataMD5, md5):
			return fmt.Errorf("train: the files of %s in %s are not those that the run in %s was made on (other digests); "+
				"name the folder of those with --data-dir%s", split.Title, split.Source, c.Out, putBack(split))
		}
	}
	c.Input, c.Classes, c.Images, c.DataMD5 = split.Train.Shape, split.Train.Classes, images, md5
	weights, err := classWeights(c.ClassWeight, split.Train, c.LimitTrain)
	if err != nil {
		return err
	}
	c.ClassWeights = weights
	if c.Standardise {
		n := data.Standardize(split.Train)
		c.Mean, c.Std = n.Mean, n.Std
	}
	return nil
}

// The values of Config.Arch for networks that Config.Model describes.
const (
	KerasArch = "keras"
	ONNXArch  = "onnx"
)

// NewModel makes the model that a configuration describes, without values.
func NewModel(c Config) (*nn.Model, error) {
	if len(c.Classes) == 0 {
		return nil, errors.New("train: the configuration names no classes")
	}
	if len(c.Model) > 0 && (c.Arch == KerasArch || c.Arch == ONNXArch) {
		m, err := c.described()
		if err != nil {
			return nil, err
		}
		if in, out := m.InputShape(), m.OutputShape(); !slices.Equal([]int(in), c.Input[:]) || !slices.Equal([]int(out), []int{len(c.Classes)}) {
			return nil, fmt.Errorf("train: the model takes %v and returns %v, its configuration says images of %s and %d classes", in, out, sides(c.Input[:]), len(c.Classes))
		}
		return m, nil
	}
	a, err := c.architecture()
	if err != nil {
		return nil, err
	}
	return a.Model()
}

// described makes the model of Config.Model.
func (c Config) described() (*nn.Model, error) {
	if c.Arch == KerasArch {
		return kerasfile.ModelWith(c.Model, kerasfile.Options{Input: nn.Shape(c.Input[:])})
	}
	var graph []byte
	if err := json.Unmarshal(c.Model, &graph); err != nil {
		return nil, fmt.Errorf("train: the configuration's description of a graph is not base64 in quotes: %w", err)
	}
	return onnx.Described(graph, onnx.ModelConfig{Images: true, Size: nn.Shape(c.Input[:])})
}

func (c Config) architecture() (arch.Architecture, error) {
	return arch.ByName(c.Arch, arch.Config{Input: nn.Shape(c.Input[:]), Classes: len(c.Classes), Seed: c.Seed,
		BatchNorm: c.BatchNorm, Dropout: c.Dropout, NoL2: c.NoL2, Stem: c.Stem, Version: c.ResNetVersion,
		Shortcuts: c.Shortcuts, RescaleInputs: c.RescaleInputs, BatchNormDecay: c.BatchNormMomentum,
		SymmetricPadding: c.SymmetricPadding, BatchNormEpsilon: c.BatchNormEpsilon, Head: c.Head})
}

// Validate checks everything that can be checked without the data set: numbers, and the names of architecture,
// optimizer and schedule.
func (c Config) Validate() error {
	for _, v := range []struct {
		flag string
		bad  bool
		want string
		got  any
	}{
		{"--epochs", c.Epochs < 1, "at least 1", c.Epochs},
		{"--batch", c.Batch < 1, "at least 1", c.Batch},
		{"--lr", !(c.LR > 0) || math.IsInf(c.LR, 0), "a positive number", c.LR},
		{"--cutout", c.Cutout < 0, "at least 0", c.Cutout},
		{"--mixup", !(c.Mixup >= 0) || math.IsInf(c.Mixup, 0), "a number of at least 0", c.Mixup},
		{"--lr-batch", c.LRBatch < 0, "at least 0", c.LRBatch},
		{"--batch-norm-momentum", !(c.BatchNormMomentum >= 0 && c.BatchNormMomentum < 1), "a number from 0 to below 1", c.BatchNormMomentum},
		{"--batch-norm-epsilon", !(c.BatchNormEpsilon >= 0 && c.BatchNormEpsilon < 1), "a number from 0 to below 1", c.BatchNormEpsilon},
		{"--momentum", !(c.Momentum >= 0 && c.Momentum < 1), "a number from 0 to below 1", c.Momentum},
		{"--weight-decay", !(c.WeightDecay >= 0) || math.IsInf(c.WeightDecay, 0), "a number of at least 0", c.WeightDecay},
		{"--accumulate", c.Accumulate < 0, "at least 0", c.Accumulate},
		{"--clip-value", !(c.ClipValue >= 0) || math.IsInf(c.ClipValue, 0), "a number of at least 0", c.ClipValue},
		{"--clip-norm", !(c.ClipNorm >= 0) || math.IsInf(c.ClipNorm, 0), "a number of at least 0", c.ClipNorm},
		{"--global-clip-norm", !(c.GlobalClipNorm >= 0) || math.IsInf(c.GlobalClipNorm, 0), "a number of at least 0", c.GlobalClipNorm},
		{"--ema", !(c.EMA >= 0 && c.EMA < 1), "a momentum from 0 to below 1", c.EMA},
		{"--ema-overwrite", c.EMAOverwrite < 0, "at least 0", c.EMAOverwrite},
		{"--swa", c.SWA < 0, "at least 0", c.SWA},
		{"--dropout", !(c.Dropout >= 0 && c.Dropout < 1), "a rate from 0 to below 1", c.Dropout},
		{"--limit-train", c.LimitTrain < 0, "at least 0", c.LimitTrain},
		{"--limit-test", c.LimitTest < 0, "at least 0", c.LimitTest},
		{"--size", c.Size < 0, "at least 0", c.Size},
		{"--val-split", !(c.ValSplit >= 0 && c.ValSplit < 1), "a share from 0 to below 1", c.ValSplit},
		{"--threads", c.Threads < 0 || c.Threads > MaxThreads, fmt.Sprintf("at least 0 and at most %d", MaxThreads), c.Threads},
		{"--keep", c.Keep < 1, "at least 1", c.Keep},
		{"--save-every", c.SaveEvery < 0, "at least 0", c.SaveEvery},
		{"--memory-budget", c.MemoryBudget < 0, "at least 0", c.MemoryBudget},
		{"--profile-steps", c.ProfileSteps < 0, "at least 0", c.ProfileSteps},
	} {
		if v.bad {
			return fmt.Errorf("train: %s wants %s, got %v", v.flag, v.want, v.got)
		}
	}
	if err := CheckPrecision(c.Precision); err != nil {
		return err
	}
	if err := CheckEXIF(c.EXIF); err != nil {
		return err
	}
	if err := c.GradientNorms.check(); err != nil {
		return err
	}
	if _, err := c.CompileOptions(); err != nil {
		return err
	}
	if _, err := c.architecture(); err != nil {
		return err
	}
	if err := c.checkPictures(); err != nil {
		return err
	}
	switch {
	case c.Mixup > 0 && c.ClassWeight != "":
		return errors.New("train: give --mixup or --class-weight, but not both: images that are mixed have two classes")
	case c.EMA == 0 && c.EMAOverwrite > 0:
		return errors.New("train: --ema-overwrite goes with --ema, the averages that overwrite the weights")
	case c.EMA > 0 && c.SWA > 0:
		return errors.New("train: give --ema or --swa, but not both: there is one average of the weights")
	}
	if _, err := NewOptimizer(c); err != nil {
		return err
	}
	if _, err := parseClassWeight(c.ClassWeight); err != nil {
		return err
	}
	if _, err := c.LossFunction(); err != nil {
		return err
	}
	_, err := ParseSchedule(c.Schedule)
	return err
}

// CompileOptions are the options of a training step's graph.Compile: what it computes again to save memory.
func (c Config) CompileOptions() ([]graph.Option, error) {
	r, err := graph.ParseRecompute(c.Recompute)
	if err != nil {
		return nil, unknown("recomputation", c.Recompute, graph.Recomputations())
	}
	if r != graph.RecomputeOff && c.MemoryBudget > 0 {
		return nil, errors.New("train: give --recompute or --memory-budget, which chooses what to compute again, but not both")
	}
	return []graph.Option{graph.WithRecompute(r), graph.WithMemoryBudget(c.MemoryBudget)}, nil
}

// unknown is the error for a name that is not in a list.
func unknown(what, name string, known []string) error {
	return fmt.Errorf("train: unknown %s %q%s; known are %s", what, name, suggest.Phrase(name, known), strings.Join(known, ", "))
}
