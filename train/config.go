package train

import (
	"encoding/json"

	"github.com/stheno-ml/stheno/arch"
)

// Config is everything that defines a run; run.json holds it. Two runs of one Config on one device with as many
// threads, and as much Tuning, are equal bit for bit. Paths and the number of threads are recorded for information.
type Config struct {
	Arch      string  `json:"arch"`
	BatchNorm bool    `json:"batch_norm,omitempty"` // vgg: convolutions followed by batch normalization
	Dropout   float64 `json:"dropout,omitempty"`    // vgg, alexnet, mobilenet, efficientnet, vit; 0 is the network's own
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
	RescaleInputs     bool    `json:"rescale_inputs,omitempty"`      // resnet, efficientnet: networks that were converted may have it

	// Weights is the file, or the folder of a run, whose weights the run began with: what OpenPretrained reads; New makes it absolute. With it Arch may
	// be "": the network is then the one in the file, and New fills in what describes it. It is read when a run begins and not when it is resumed.
	Weights string `json:"weights,omitempty"`
	// Pretrained is what OpenPretrained made of Weights, where the caller has it already; New takes it.
	Pretrained *Pretrained `json:"-"`
	// Reinit are patterns of layers, as Model.SetTrainable takes them, with commas between them, whose weights are not taken from the file.
	Reinit string `json:"reinit,omitempty"`
	// Freeze says which layers are not trained: FreezeBackbone, all but the classifier and those of Reinit; FreezeNone; or patterns of layers with
	// commas between them. "" is what the network's file says, which for most is none.
	Freeze string `json:"freeze,omitempty"`
	// UnfreezeAt, if not 0, sets all layers free from this epoch on, counted from 1; the optimizer then begins anew.
	UnfreezeAt int `json:"unfreeze_at,omitempty"`
	// HeadRate, if not 0, is what the learning rate is multiplied by for the classifier, and for the layers of Reinit.
	HeadRate float64 `json:"head_lr_factor,omitempty"`
	// NewHead says that the classifier of the network that Model describes is replaced by one for as many Classes as there are, and Softmax that
	// a softmax is put behind it.
	NewHead bool `json:"new_head,omitempty"`
	Softmax bool `json:"softmax,omitempty"`

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
	// EarlyStop ends the run early: what ParseEarlyStop reads. The parts of a run may differ in it, but for what the best epoch is.
	EarlyStop string `json:"early_stop,omitempty"`

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

	// TensorBoard is the folder of event files for TensorBoard, in Out unless the name has a folder; "" is for none. The parts of a run may
	// differ in these.
	TensorBoard           string `json:"tensorboard,omitempty"`
	TensorBoardSteps      int    `json:"tensorboard_steps,omitempty"`      // also the loss of every N-th batch; 0 means not. Keras: update_freq
	TensorBoardHistograms int    `json:"tensorboard_histograms,omitempty"` // weights as histograms every N epochs; 0 means not. Keras: histogram_freq

	Device    string `json:"device"`
	Threads   int    `json:"threads"`
	Keep      int    `json:"keep_checkpoints"`
	SaveEvery int    `json:"save_every_steps,omitempty"` // besides the end of every epoch; 0 means not
	// What the data set says, written down so that a checkpoint can be used without it. New fills it in.
	Input   [3]int   `json:"input"` // rows, columns, channels
	Classes []string `json:"classes"`
	// ClassWeights are what ClassWeight means.
	ClassWeights []float32 `json:"class_weights,omitempty"`

	// Of the pixels on the scale 0…1: what the network expects, or if Standardise what New finds.
	Mean []float32 `json:"mean,omitempty"`
	Std  []float32 `json:"std,omitempty"`
	// RawPixels says that the network takes pixels of 0…255 as they are, without Mean and Std; one that was converted may, and New sets
	// it for those that TakesRawPixels finds to rescale them.
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
