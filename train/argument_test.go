package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/data"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
)

// TestArguments: what nobody looked at the error of, and sizes that cannot be, are typed errors and not panics.
func TestArguments(t *testing.T) {
	e, m, opt := engine(t, 1), tiny(t, 0), train.SGD{}
	require.NoError(t, m.Initialize(1, tensor.Float32))
	slots := train.NewSlots(m, opt)
	second := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"no model":               second(train.NewTrainStep(e, nil, opt, slots, 2, 1)),
		"empty model":            second(train.NewTrainStep(e, &nn.Model{}, opt, slots, 2, 1)),
		"no optimizer":           second(train.NewTrainStep(e, m, nil, slots, 2, 1)),
		"batch 0":                second(train.NewTrainStep(e, m, opt, slots, 0, 1)),
		"batch -3":               second(train.NewTrainStep(e, m, opt, slots, -3, 1)),
		"no loader":              second(train.NewTrainStepFor(nil, e, m, opt, slots, 2, 1)),
		"evaluation, no model":   second(train.NewEvalStep(e, nil, 2)),
		"prediction, no model":   second(train.NewPredictor(e, nil)),
		"prediction, batch 0":    second(train.NewBatchPredictor(e, m, 0)),
		"evaluator, no model":    second((&train.Evaluator{Engine: e}).Run(t.Context(), &data.Loader{}, nil)),
		"evaluator, no loader":   second((&train.Evaluator{Engine: e, Model: m}).Run(t.Context(), nil, nil)),
		"graph, no model":        func() error { _, _, err := train.StepGraph(nil, opt, 2, 1); return err }(),
		"graph, no optimizer":    func() error { _, _, err := train.StepGraph(m, nil, 2, 1); return err }(),
		"step that was not made": second((&train.Step{}).Run(nil, nil, 0, 0)),
	} {
		var wrong *train.ArgumentError
		require.ErrorAs(t, err, &wrong, name)
	}
	require.ErrorContains(t, second(train.NewTrainStep(e, m, train.Base{}, train.Slots{}, 2, 1)), "Base wants an Optimizer")
	require.Empty(t, train.NewSlots(nil, opt))
	require.Empty(t, train.NewSlots(m, train.Base{}))
	var none *train.Step
	require.NoError(t, none.Close())
	require.NoError(t, (*train.Predictor)(nil).Close())
	s, err := train.NewTrainStep(e, m, opt, slots, 2, 1)
	require.NoError(t, err)
	require.ErrorContains(t, second(s.RunBatch(nil, 0, 0)), "the batch is nil")
	require.NoError(t, s.Close())
}
