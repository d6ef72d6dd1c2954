package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stheno-ml/stheno/weights"
	"github.com/stheno-ml/stheno/weights/internal/hdf5"
	"github.com/stheno-ml/stheno/weights/internal/zipfile"
)

// File is what a file of Keras holds. All of it is in memory; the file is closed.
type File struct {
	// Path is the file.
	Path string
	// Version is the version of Keras that wrote the file; "" where it does not say.
	Version string
	// Config is the model's configuration, for [Model]; nil in a file of weights.
	Config json.RawMessage
	// Training is the configuration of loss, optimizer and metrics; nil where there is none.
	Training json.RawMessage
	// Layers are the layers that have weights, in the file's order.
	Layers []Layer

	numbered bool // variables are known by their numbers, and layers by their classes: Keras 3's own layout
}

// Layer is a layer, or a part of one, that has weights.
type Layer struct {
	// Name is the layer's name. In Keras 3's own layout it may be "": early versions do not tell.
	Name string
	// Path is the place in the file: "conv2d", or "layers/conv2d".
	Path string
	// Tensors are the weights in Keras's order, by the names that the file has for them: "conv2d/kernel:0", or "0", "1", ….
	Tensors []weights.Tensor
}

// Open reads a file of Keras: a whole model or weights in HDF5, or an archive. What it is, its beginning tells, not its name.
func Open(path string) (*File, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	defer in.Close() // read only
	info, err := in.Stat()
	if err != nil {
		return nil, fmt.Errorf("keras: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Path: path, Problem: "is not a regular file"}
	}
	return Decode(in, info.Size(), path)
}

// Decode reads a file of size bytes, like [Open]; path is its name in messages. The memory it takes is bounded by a small
// multiple of size, or of what packed data can be expected to unpack to.
func Decode(r io.ReaderAt, size int64, path string) (*File, error) {
	head := make([]byte, min(4, size))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("keras: %s: %w", path, err)
	}
	f := &File{Path: path}
	var err error
	if zipfile.Is(head) {
		err = f.archive(r, size)
	} else {
		err = f.hdf5(r, size, path)
	}
	if err == nil {
		return f, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = path
		return nil, e
	}
	return nil, err
}

// hdf5 reads any HDF5 file of Keras; name is the file's in messages.
func (f *File) hdf5(r io.ReaderAt, size int64, name string) error {
	h, err := hdf5.NewFile(r, size, name)
	if err != nil {
		return err
	}
	root, err := h.Root()
	if err != nil {
		return err
	}
	names, err := root.Attribute("layer_names")
	if err != nil {
		return err
	}
	split, err := root.Attribute("layer_names0")
	if err != nil {
		return err
	}
	model, err := root.Member("model_weights")
	switch {
	case err != nil:
		return err
	case model != nil:
		return f.legacy(root, model)
	case names != nil || split != nil:
		return f.legacy(root, root)
	}
	return f.state(root)
}

// Tensors lists the weights, by the names that package nn has for them ("conv2d/kernel") where the configuration tells or the
// file has them, else by their places in the file ("layers/conv2d/vars/0").
func (f *File) Tensors() []weights.Tensor {
	if f.Config != nil {
		if m, err := f.model(Options{}); err == nil { // else the file's own names must do
			if out, err := f.Matched(m); err == nil && belong(out, m) {
				return out
			}
		}
	}
	var out []weights.Tensor
	for _, l := range f.Layers {
		for _, t := range l.Tensors {
			if f.numbered {
				t.Name = l.Path + "/vars/" + t.Name
			} else {
				t.Name = plainName(l.Name, t.Name)
			}
			out = append(out, t)
		}
	}
	return out
}

// plainName makes "conv2d/kernel" of the names of a layer and a variable in the legacy layout, which may be
// "conv2d/kernel:0" (Keras 2), "sequential/conv2d/kernel" (Keras 3), or "block1_conv1/kernel:0" in a nested model.
func plainName(layer, variable string) string {
	variable, _, _ = strings.Cut(variable, ":")
	steps := strings.Split(variable, "/")
	if len(steps) == 1 {
		return layerName(layer) + "/" + variable
	}
	at := len(steps) - 1
	// A name such as "conv1/conv" has a slash of its own.
	if owner := strings.Join(steps[:at], "/"); owner == layer || strings.HasSuffix(owner, "/"+layer) {
		return layerName(layer) + "/" + steps[at]
	}
	return steps[at-1] + "/" + steps[at]
}

// layerName is a layer's name in a model of package nn, where slashes separate layer and weight: as in Keras 3, which
// renamed "conv1/conv" to "conv1_conv".
func layerName(name string) string { return strings.ReplaceAll(name, "/", "_") }
