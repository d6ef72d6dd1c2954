package bench

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stheno-ml/stheno/arch"
	"github.com/stheno-ml/stheno/internal/suggest"
	"github.com/stheno-ml/stheno/internal/words"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// Mode is what a case does with a batch.
type Mode string

const (
	// Train is a whole step: the batch is fed, loss and gradients are computed, SGD with momentum updates the weights.
	Train Mode = "train"
	// Inference is the network alone, with weights that stay as they are.
	Inference Mode = "inference"
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{Train, Inference} }

// Case is one thing to measure: a network on batches of one size.
type Case struct {
	Arch      string `json:"arch"` // one of arch.Names
	Size      int    `json:"size"` // rows and columns of the images, which have three channels
	Classes   int    `json:"classes"`
	Batch     int    `json:"batch"`
	Device    string `json:"device"`  // as graph.Open takes it
	Threads   int    `json:"threads"` // of the CPU engine; 0 means one per core, and becomes their number
	Mode      Mode   `json:"mode"`
	Precision string `json:"precision"`
}

// String is the case in words, e.g. "vgg16 32×32, batch 64, train, 2 threads". What most cases have in common is left out.
func (c Case) String() string {
	s := fmt.Sprintf("%s %d×%d, batch %d, %s, %d %s", c.Arch, c.Size, c.Size, c.Batch, c.Mode, c.Threads, words.Plural("thread", c.Threads))
	if !c.onCPU() {
		s = fmt.Sprintf("%s %d×%d, batch %d, %s on %s", c.Arch, c.Size, c.Size, c.Batch, c.Mode, c.Device)
	}
	if c.Precision != train.FP32 {
		s += " in " + c.Precision
	}
	return s
}

// Matrix describes cases by their product: each network with each batch size, and so on. Fields that are empty have usual values.
type Matrix struct {
	Archs      []string // those of Usual
	Sizes      []int    // 32, for resnet50 also 224
	Batches    []int    // on the CPU 32 in training, 1 and 32 in inference, for images of 224×224 half of it; elsewhere 64 and 512, or 256
	Threads    []int    // 0; of the CPU alone
	Modes      []Mode   // both
	Devices    []string // "cpu"
	Precisions []string // "fp32"
	Classes    int      // 100
}

// large are images of which a case usually takes fewer at a time.
const large = 224

// Cases lists the product, network by network. A name that does not exist, or a number that makes no sense, is an error.
func (m Matrix) Cases() ([]Case, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	var cases []Case
	for _, name := range or(m.Archs, Usual()...) {
		sizes := []int{32}
		if name == "resnet50" {
			sizes = append(sizes, large)
		}
		for _, size := range or(m.Sizes, sizes...) {
			for _, mode := range or(m.Modes, Modes()...) {
				cases = append(cases, m.batches(Case{Arch: name, Size: size, Classes: cmp.Or(m.Classes, 100), Mode: mode})...)
			}
		}
	}
	for _, c := range cases {
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

// batches is c in every batch size, everywhere. What is usual depends on the device.
func (m Matrix) batches(c Case) (cases []Case) {
	for _, batch := range m.Batches {
		c.Batch = batch
		cases = append(cases, m.places(c)...)
	}
	if len(m.Batches) > 0 {
		return cases
	}
	for _, device := range or(m.Devices, "cpu") {
		one := m
		one.Devices = []string{device}
		c.Device = device
		one.Batches = usualBatches(c)
		cases = append(cases, one.batches(c)...)
	}
	return cases
}

// places is c on every device, with every number of threads where it has some, in every precision.
func (m Matrix) places(c Case) (cases []Case) {
	for _, device := range or(m.Devices, "cpu") {
		c.Device = device
		threads := []int{0}
		if c.onCPU() {
			threads = or(m.Threads, 0)
		}
		for _, threads := range threads {
			for _, precision := range or(m.Precisions, train.FP32) {
				c.Threads, c.Precision = threads, cmp.Or(precision, train.FP32)
				cases = append(cases, c)
			}
		}
	}
	return cases
}

func or[T any](given []T, usual ...T) []T {
	if len(given) > 0 {
		return given
	}
	return usual
}

// onCPU says that a case is computed by the CPU. Other devices are fed as training feeds them, and verified with the CPU's results.
func (c Case) onCPU() bool { return c.Device == "cpu" }

// usualBatches are those of c's network, images, mode and device.
func usualBatches(c Case) []int {
	batch := 32
	switch {
	case !c.onCPU() && c.Size >= large:
		return []int{64, 256}
	case !c.onCPU():
		return []int{64, 512}
	case c.Size >= large:
		batch = 16
	}
	if c.Mode == Train {
		return []int{batch}
	}
	return []int{1, batch}
}

// check refuses values that the product would hide, as in it they have no case of their own.
func (m Matrix) check() error {
	for _, mode := range m.Modes {
		if mode != Train && mode != Inference {
			names := []string{string(Train), string(Inference)}
			return fmt.Errorf("bench: unknown mode %q%s", mode, suggest.Then(string(mode), names, "the modes are "+strings.Join(names, ", ")))
		}
	}
	for _, p := range m.Precisions {
		if err := train.CheckPrecision(p); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a case that cannot be: its network is described for it, which takes no time.
func (c Case) check() error {
	for _, v := range []struct {
		name     string
		got, min int
		max      int
	}{{"batch size", c.Batch, 1, 1 << 20}, {"image size", c.Size, 1, 1 << 14}, {"number of classes", c.Classes, 2, 1 << 24}, {"number of threads", c.Threads, 0, train.MaxThreads}} {
		if v.got < v.min || v.got > v.max {
			return fmt.Errorf("bench: %s %d; use one from %d to %d", v.name, v.got, v.min, v.max)
		}
	}
	_, err := c.model()
	return err
}

// model describes the network; its weights have no values yet.
func (c Case) model() (*nn.Model, error) {
	a, err := arch.ByName(c.Arch, arch.Config{Input: nn.Shape{c.Size, c.Size, 3}, Classes: c.Classes})
	if err != nil {
		return nil, err
	}
	return a.Model()
}

// Usual are the architectures of a matrix that names none.
func Usual() []string { return []string{"simplecnn", "vgg16", "resnet50"} }
