package convert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/npy"
	"github.com/stheno-ml/stheno/weights/internal/zipfile"
	"github.com/stheno-ml/stheno/weights/keras"
	"github.com/stheno-ml/stheno/weights/numpy"
	"github.com/stheno-ml/stheno/weights/onnx"
	"github.com/stheno-ml/stheno/weights/torch"
)

// Layout is whose order of axes and names of weights a file has.
type Layout string

const (
	// KerasLayout is this module's too: kernels (rows, columns, in, out) and (in, out), called kernel, bias, gamma, ….
	KerasLayout Layout = "keras"
	// TorchLayout is PyTorch's: (out, in, rows, columns) and (out, in), called weight, bias, running_mean, ….
	TorchLayout Layout = "torch"
)

// Layouts are the names of both.
func Layouts() []string { return []string{string(KerasLayout), string(TorchLayout)} }

// Source is what a file holds.
type Source struct {
	Path    string
	Format  string // "PyTorch", "safetensors", "checkpoint", "NumPy", "ONNX" or "Keras"
	Layout  Layout // what the tensors' names say; see Options.Layout
	Prefix  string // what was taken away from the front of all names, such as "state_dict.module."
	Tensors []weights.Tensor
	// Aside are tensors that are no weights of a network, such as an optimizer's, and arrays that could not be read.
	Aside []Aside
	// Config is the model that the file describes, for keras.Model; nil in files of weights.
	Config json.RawMessage

	// Graph is the network that an ONNX file holds; nil in other files.
	Graph *onnx.Graph
	// Checkpoint is the file itself where it is one of ours; nil in others. Its Tensors have their full names.
	Checkpoint *weights.Checkpoint

	// complete, if not nil, replaces Tensors before they are matched.
	complete func() error
	// forModel gives the tensors the names of a model's weights, in formats that need the model for it; nil in others.
	forModel func(*nn.Model) ([]weights.Tensor, error)
}

// Aside is a tensor that is not to be matched.
type Aside struct{ Name, Reason string }

// format is a kind of file.
type format struct {
	name   string
	detect func(head []byte, entries []string) bool // entries are the names in a zip archive
	read   func(path string) (*Source, error)
}

// formats are tried in turn.
var formats = []format{
	// The first, as the length of its header, in the first eight bytes, may look like the beginning of a pickle or of an ONNX file: none of
	// these goes on with the zeros of a length below 4 GiB.
	{"safetensors", func(head []byte, _ []string) bool {
		return len(head) > 8 && string(head[4:8]) == "\x00\x00\x00\x00" && head[8] == '{'
	}, readSafetensors},
	{"PyTorch", func(head []byte, entries []string) bool {
		return torch.Is(head) && (!zipfile.Is(head) || slices.ContainsFunc(entries, func(e string) bool { return strings.HasSuffix(e, "/data.pkl") }))
	}, readTorch},
	{"Keras", func(head []byte, entries []string) bool {
		return strings.HasPrefix(string(head), "\x89HDF\r\n\x1a\n") || slices.Contains(entries, "model.weights.h5")
	}, readKeras},
	{"NumPy", func(head []byte, entries []string) bool {
		return npy.Is(head) || zipfile.Is(head) && slices.ContainsFunc(entries, func(e string) bool { return strings.HasSuffix(e, ".npy") })
	}, readNumPy},
	{"ONNX", func(head []byte, _ []string) bool { return onnx.Is(head) }, readONNX},
}

// Open reads the weights in a file. Which kind it is, the content says, whatever it is called.
func Open(path string) (*Source, error) {
	head, entries, err := look(path)
	if err != nil {
		return nil, err
	}
	for _, f := range formats {
		if !f.detect(head, entries) {
			continue
		}
		s, err := f.read(path)
		if err != nil {
			return nil, err
		}
		s.Path = path
		if s.Format == "" {
			s.Format = f.name
		}
		if s.forModel == nil && s.complete == nil { // Keras's names are as they are
			s.section()
		}
		s.Layout = s.layout()
		return s, nil
	}
	return nil, fmt.Errorf("convert: %s is no file of weights that is known: neither PyTorch's (.pt, .pth, .th), nor Keras's (.h5, .keras), safetensors, NumPy's (.npz, .npy), nor ONNX; it begins with %q",
		path, head[:min(len(head), 16)])
}

// look reads the beginning of a file, and the names in it where it is a zip archive.
func look(path string) (head []byte, entries []string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("convert: %w", err)
	}
	defer in.Close() // read only
	info, err := in.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("convert: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("convert: %s is not a regular file", path)
	}
	head = make([]byte, 16)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, fmt.Errorf("convert: %s: %w", path, err)
	}
	head = head[:n]
	if n == 0 {
		return nil, nil, fmt.Errorf("convert: %s is empty", path)
	}
	if zipfile.Is(head) {
		a, err := zipfile.Open(in, info.Size())
		if err != nil {
			return nil, nil, fmt.Errorf("convert: %s: %w", path, err)
		}
		for _, f := range a.Files {
			entries = append(entries, f.Name)
		}
	}
	return head, entries, nil
}

func readTorch(path string) (*Source, error) {
	f, err := torch.Read(path)
	if err != nil {
		return nil, err
	}
	return &Source{Tensors: f.Tensors}, nil
}

func readKeras(path string) (*Source, error) {
	f, err := keras.Open(path)
	if err != nil {
		return nil, err
	}
	return &Source{Tensors: f.Tensors(), Config: f.Config, forModel: f.Matched}, nil
}

// readONNX takes the initializers where they have PyTorch's names, and otherwise the weights of the model that the file becomes, which have
// their layers' names and this module's layouts.
func readONNX(path string) (*Source, error) {
	g, err := onnx.Read(path)
	if err != nil {
		return nil, err
	}
	stored, err := g.Tensors()
	if err != nil {
		return nil, err
	}
	s := &Source{Tensors: stored, Format: "ONNX", Graph: g}
	if len(stored) == 0 || s.layout() != TorchLayout {
		s.complete = s.fromModel
	}
	return s, nil
}

// fromModel takes the weights of the model that the graph becomes.
func (s *Source) fromModel() error {
	m, err := s.Graph.Model(onnx.ModelConfig{})
	if err != nil {
		return err
	}
	s.complete, s.Tensors = nil, nil
	for _, w := range m.Weights() {
		s.Tensors = append(s.Tensors, weights.Tensor{Name: w.Name, Shape: w.Shape, Data: w.Value.Data()})
	}
	s.section()
	s.Layout = s.layout()
	return nil
}

func readNumPy(path string) (*Source, error) {
	f, err := numpy.Read(path)
	if err != nil {
		return nil, err
	}
	s := &Source{Tensors: f.Tensors}
	for _, skipped := range f.Skipped {
		s.Aside = append(s.Aside, Aside{skipped.Name, skipped.Reason})
	}
	return s, nil
}

func readSafetensors(path string) (*Source, error) {
	f, err := weights.ReadSafetensors(path)
	if err != nil {
		return nil, err
	}
	if !weights.IsCheckpoint(f) {
		return &Source{Tensors: f.Tensors}, nil
	}
	c, err := weights.LoadCheckpoint(path) // which looks at the digest
	if err != nil {
		return nil, err
	}
	return &Source{Tensors: slices.Clone(c.Tensors), Format: "checkpoint", Checkpoint: c}, nil
}
