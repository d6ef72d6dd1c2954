package nn

import (
	"iter"
	"path"
	"slices"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// SetTrainable freezes layers (trainable false) or sets them free again, as Keras's layer.trainable does: optimizers leave the
// weights of a frozen layer as they are, and a frozen batch normalization works as in inference. Layers are named as they are
// called, those of a nested model behind its name ("vgg16/block1_conv1"), or by patterns of path.Match such as "block1_*"; no name
// at all means every layer. It counts in graphs that are built
// afterwards; the penalties of frozen weights stay in the loss, as in Keras 2, which has no effect on gradients; Keras 3 leaves them out. A name that no layer has is an *[Error], and
// nothing is changed.
//
//	m.SetTrainable(false)                // freeze all
//	m.SetTrainable(true, "predictions") // train the head only
func (m *Model) SetTrainable(trainable bool, layers ...string) error {
	chosen := m.layers
	if len(layers) > 0 {
		chosen = nil
		for _, pattern := range layers {
			found, err := m.matching(pattern)
			if err != nil {
				return err
			}
			chosen = append(chosen, found...)
		}
	}
	for _, n := range chosen {
		n.frozen = !trainable
		if inner, ok := n.layer.(*Model); ok {
			if err := inner.SetTrainable(trainable); err != nil {
				return err
			}
			continue
		}
		for _, w := range n.weights {
			w.Trainable = trainable && !w.fixed
		}
	}
	return nil
}

// matching returns the layers that a pattern of path.Match names.
func (m *Model) matching(pattern string) ([]*node, error) {
	var found []*node
	var names []string
	for name, n := range m.paths() {
		ok, err := path.Match(pattern, name)
		if err != nil {
			return nil, m.fail(ErrArgument, "see path.Match for what patterns look like", "the pattern %q is malformed", pattern)
		}
		if ok {
			found = append(found, n)
		}
		names = append(names, name)
	}
	if len(found) == 0 {
		return nil, m.fail(ErrArgument, "Model.Layers lists the names", "no layer is called %q%s", pattern, suggest.Phrase(pattern, names))
	}
	return found, nil
}

// paths yields the layers by name, those of nested models behind the name of these: "vgg16/block1_conv1".
func (m *Model) paths() iter.Seq2[string, *node] {
	return func(yield func(string, *node) bool) {
		for _, n := range m.layers {
			if !yield(n.name, n) {
				return
			}
			if inner, ok := n.layer.(*Model); ok {
				for name, leaf := range inner.paths() {
					if !yield(n.name+"/"+name, leaf) {
						return
					}
				}
			}
		}
	}
}

// WeightsOf returns the weights of layers, which are named as in [Model.SetTrainable].
func (m *Model) WeightsOf(layers ...string) ([]*Weight, error) {
	if m.empty() {
		return nil, noModel("WeightsOf")
	}
	var all []*Weight
	for _, pattern := range layers {
		found, err := m.matching(pattern)
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			for _, w := range n.weights {
				if !slices.Contains(all, w) {
					all = append(all, w)
				}
			}
		}
	}
	return all, nil
}
