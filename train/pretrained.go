package train

import (
	"fmt"
	"os"
	"path/filepath"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights/convert"
	kerasfile "github.com/stheno-ml/stheno/weights/keras"
	"github.com/stheno-ml/stheno/weights/onnx"
)

// Pretrained is a file whose weights a run may begin with.
type Pretrained struct {
	Path string // the file that was read: of the folder of a run its best checkpoint

	src *convert.Source
	cfg Config // of a checkpoint
	// checkpoint says that cfg tells what its network expects of pixels.
	checkpoint bool
}

// OpenPretrained reads a file of any format that convert.Open knows, or where path is the folder of a run its best checkpoint or newest sound one.
func OpenPretrained(path string) (*Pretrained, error) {
	file, err := CheckpointIn(path)
	if err != nil {
		return nil, fmt.Errorf("train: --weights: %w", err)
	}
	p := &Pretrained{Path: file}
	if p.src, err = convert.Open(p.Path); err != nil {
		return nil, fmt.Errorf("train: --weights: %w", err)
	}
	if p.src.Format == "checkpoint" {
		if p.cfg, err = configOf(p.Path, p.src.Checkpoint); err != nil {
			return nil, err
		}
		p.checkpoint = p.cfg.Arch != ""
	}
	return p, nil
}

// CheckpointIn is path, or where that is the folder of a run, its best checkpoint or the newest sound one.
func CheckpointIn(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	if _, err := os.Stat(filepath.Join(path, CheckpointDir)); err != nil {
		return "", fmt.Errorf("%s is a folder and not that of a run: it has no folder %s; name a file, or the folder that train --out names", path, CheckpointDir)
	}
	r, err := LoadRun(path)
	if err != nil {
		return "", fmt.Errorf("no network in %s: %w", path, err)
	}
	return r.Path, nil
}

// Arch is the Config.Arch of the network that the file holds, "" where it holds weights alone.
func (p *Pretrained) Arch() string {
	switch {
	case p.checkpoint:
		return p.cfg.Arch
	case p.src.Graph != nil:
		return ONNXArch
	case p.src.Config != nil:
		return KerasArch
	}
	return ""
}

// Input is the shape of the images, rows, columns, channels, that the network in the file takes; it is zero where the file does not say that.
func (p *Pretrained) Input() (shape [3]int) {
	var m *nn.Model
	var err error
	switch p.Arch() {
	case "":
		return shape
	case KerasArch:
		if p.checkpoint {
			return p.cfg.Input
		}
		m, err = kerasfile.Model(p.src.Config)
	case ONNXArch:
		if p.checkpoint {
			return p.cfg.Input
		}
		m, err = p.src.Graph.Model(onnx.ModelConfig{Images: true, Dtype: tensor.Float32})
	default:
		return p.cfg.Input
	}
	if err == nil && len(m.InputShape()) == 3 {
		copy(shape[:], m.InputShape())
	}
	return shape // it leaves the size open, or cannot be read, which begin says
}

// reinitHead is what Reinit calls the classifier, whatever its name is.
const reinitHead = "head"

// unnamedClass is what convert calls the first class where it knows no names.
const unnamedClass = "class 0"

// begin prepares the network of a new run with pretrained weights.
func (t *Trainer) begin() error {
	if t.cfg.Weights == "" || t.cfg.Resume {
		return nil
	}
	p := t.cfg.Pretrained
	t.cfg.Pretrained = nil // the file's content is not kept
	if p == nil {
		var err error
		if p, err = OpenPretrained(t.cfg.Weights); err != nil {
			return err
		}
	}
	b, err := p.begin(t.cfg)
	if err != nil {
		return err
	}
	t.cfg, t.model = b.Config, b.model
	for _, line := range b.notes {
		t.observer.Note(line)
	}
	return nil
}

// beginAgain gives a resumed run that has no checkpoint yet the values that it began with.
func (t *Trainer) beginAgain() error {
	if t.cfg.Weights == "" {
		return t.model.Initialize(t.cfg.Seed, tensor.Float32)
	}
	p, err := OpenPretrained(t.cfg.Weights)
	if err != nil {
		return fmt.Errorf("%w\n    the run has no checkpoint yet, and begins with that file: start it again with another --out", err)
	}
	c := t.cfg
	c.Resume = false
	if c.Arch == KerasArch || c.Arch == ONNXArch {
		c.Arch, c.Model, c.NewHead, c.Softmax = "", nil, false, false
	}
	b, err := p.begin(c)
	if err != nil {
		return err
	}
	if err := b.model.InitializeRest(t.cfg.Seed, tensor.Float32); err != nil {
		return err
	}
	for i, w := range t.model.Weights() {
		if from := b.model.Weights(); len(from) <= i || from[i].Name != w.Name {
			return fmt.Errorf("train: %s does not hold the network any more that the run in %s began with; start it again with another --out", p.Path, t.cfg.Out)
		} else if err := w.Set(from[i].Value); err != nil {
			return err
		}
	}
	return nil
}
