package keras

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stheno-ml/stheno/weights/internal/hdf5"
)

// deepest bounds how deep groups may lie in each other: models in models.
const deepest = 64

// state reads the layout of .weights.h5 and .keras files: each object of the model that has variables is a group with a
// group "vars" of datasets "0", "1", …. Layers are called by their classes, as in "layers/conv2d_1"; newer versions
// of Keras 3 write their names beside. The state of optimizers and metrics is left out.
func (f *File) state(root *hdf5.Object) error {
	f.numbered = true
	met := map[int64]bool{}
	found := false
	var visit func(o *hdf5.Object, depth int) error
	visit = func(o *hdf5.Object, depth int) error {
		if met[o.Place()] {
			return wrong("the file is damaged, or not written by Keras", "%q lies in itself, or in two groups", o.Path())
		}
		met[o.Place()] = true
		if depth > deepest {
			return wrong("", "%q lies in more than %d groups", o.Path(), deepest)
		}
		links, err := o.Links()
		if err != nil {
			return err
		}
		for _, l := range links {
			if depth == 0 && (strings.HasPrefix(l.Name, "optimizer") || strings.Contains(l.Name, "metric")) {
				found = true
				continue
			}
			m, err := o.Follow(l)
			if err != nil {
				return err
			}
			switch {
			case l.Name == "vars" && m.IsGroup():
				found = true
				layer, err := stateLayer(m)
				if err != nil {
					return err
				}
				if met[m.Place()] {
					return wrong("the file is damaged, or not written by Keras", "%q is the group of two layers", m.Path())
				}
				met[m.Place()] = true
				if len(layer.Tensors) > 0 {
					f.Layers = append(f.Layers, layer)
				}
			case m.IsGroup():
				if err := visit(m, depth+1); err != nil {
					return err
				}
			case m.IsDataset():
				return wrong("open a file that Keras saved, or move it into a group vars", "%q lies outside of the groups called vars, where Keras has weights: it would be left out", m.Path())
			}
		}
		return nil
	}
	if err := visit(root, 0); err != nil {
		return err
	}
	if !found {
		return wrong("open a file that Keras saved: model.save, or model.save_weights", "is an HDF5 file, but has neither layer_names nor groups called vars")
	}
	return nil
}

// stateLayer reads a group "vars".
func stateLayer(vars *hdf5.Object) (Layer, error) {
	l := Layer{Path: strings.TrimPrefix(path.Dir(vars.Path()), "/")}
	var err error
	if l.Name, err = attributeText(vars, "name"); err != nil {
		return l, err
	}
	links, err := vars.Links()
	if err != nil {
		return l, err
	}
	links = slices.Clone(links)
	slices.SortStableFunc(links, func(a, b hdf5.Link) int {
		x, errX := strconv.Atoi(a.Name)
		y, errY := strconv.Atoi(b.Name)
		if errX != nil || errY != nil {
			return cmp.Compare(a.Name, b.Name)
		}
		return cmp.Compare(x, y)
	})
	met := map[int64]bool{}
	for _, link := range links {
		o, err := vars.Follow(link)
		if err != nil {
			return l, err
		}
		if !o.IsDataset() || met[o.Place()] {
			return l, wrong("the file is damaged, or not written by Keras", "%q is not a dataset of its own", o.Path())
		}
		met[o.Place()] = true
		t, err := readTensor(o, link.Name)
		if err != nil {
			return l, err
		}
		l.Tensors = append(l.Tensors, t)
	}
	return l, nil
}
