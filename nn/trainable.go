package nn

import (
	"path"

	"github.com/stheno-ml/stheno/internal/suggest"
)

// SetTrainable freezes layers (trainable false) or sets them free again, as Keras's layer.trainable does: optimizers leave the
// weights of a frozen layer as they are, and a frozen batch normalization works as in inference. Layers are named as they are
// called, or by patterns of path.Match such as "block1_*"; no name at all means every layer. It counts in graphs that are built
// afterwards; the penalties of frozen weights stay in the loss, as in Keras. A name that no layer has is an *[Error], and
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
		for _, w := range n.weights {
			w.Trainable = trainable && !w.fixed
		}
	}
	return nil
}

// matching returns the layers that a pattern of path.Match names.
func (m *Model) matching(pattern string) ([]*node, error) {
	var found []*node
	for _, n := range m.layers {
		ok, err := path.Match(pattern, n.name)
		if err != nil {
			return nil, m.fail(ErrArgument, "see path.Match for what patterns look like", "the pattern %q is malformed", pattern)
		}
		if ok {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		names := make([]string, len(m.layers))
		for i, n := range m.layers {
			names[i] = n.name
		}
		return nil, m.fail(ErrArgument, "Model.Layers lists the names", "no layer is called %q%s", pattern, suggest.Phrase(pattern, names))
	}
	return found, nil
}
