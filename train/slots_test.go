package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/train"
)

// Slots that are not those of the model and optimizer are told of before a step is compiled.
func TestSlotsMustBeComplete(t *testing.T) {
	e, m := engine(t, 1), tiny(t, 0)
	require.NoError(t, m.Initialize(1, tensor.Float32))
	_, err := train.NewTrainStep(e, m, train.Adam{}, nil, 2, 1)
	require.ErrorContains(t, err, "make them with NewSlots")
	_, err = train.NewTrainStep(e, m, train.Adam{}, train.NewSlots(m, train.SGD{Momentum: 0.9}), 2, 1)
	require.ErrorContains(t, err, "which adam wants")
}
